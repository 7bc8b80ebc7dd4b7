// A worker that computes the SHA-256 of a file of any size. Messages: {read: bytes} as progress, then {sha256} or {failed}.
const CHUNK_BYTES = 8 * 1024 * 1024;

self.addEventListener("message", async ({ data: { library, file } }) => {
  try {
    self.importScripts(library);
    const hasher = await self.hashwasm.createSHA256();
    hasher.init();
    for (let offset = 0; offset < file.size; offset += CHUNK_BYTES) {
      hasher.update(new Uint8Array(await file.slice(offset, offset + CHUNK_BYTES).arrayBuffer()));
      self.postMessage({ read: Math.min(offset + CHUNK_BYTES, file.size) });
    }
    self.postMessage({ sha256: hasher.digest("hex") });
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
});
