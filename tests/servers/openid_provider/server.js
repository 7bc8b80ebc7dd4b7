// An OpenID provider: whoever logs in is who they say they are, and is in the group that they say, as "own registry".
import Provider from "oidc-provider";

const [port, client] = process.argv.slice(2);
const provider = new Provider(`http://localhost:${port}`, {
  clients: [JSON.parse(client)],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  cookies: { keys: ["only for the tests"] },
  features: { backchannelLogout: { enabled: true } },
  pkce: { required: () => true },
  // It would send no logout to loopback.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  findAccount: (_context, id) => {
    const [name, ...groups] = id.split(" ");
    return { accountId: id, claims: () => ({ sub: id, preferred_username: name, groups }) };
  },
});
provider.on("backchannel.error", (_context, error) => console.error(error));
provider.listen(Number(port), "127.0.0.1");
