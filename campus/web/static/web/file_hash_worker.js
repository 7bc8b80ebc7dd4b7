// The SHA-256 of a file of any size, read in pieces beside the page. Its answers: {read: bytes} on the way, then {sha256}, or {failed}.
const STEP = 8 * 1024 * 1024;

self.addEventListener("message", async ({ data: { library, file } }) => {
  try {
    self.importScripts(library);
    const hasher = await self.hashwasm.createSHA256();
    hasher.init();
    for (let at = 0; at < file.size; at += STEP) {
      hasher.update(new Uint8Array(await file.slice(at, at + STEP).arrayBuffer()));
      self.postMessage({ read: Math.min(at + STEP, file.size) });
    }
    self.postMessage({ sha256: hasher.digest("hex") });
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
});
