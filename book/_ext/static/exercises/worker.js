// Python in a worker: load it once, then grade one answer after another.
//
// In:  {kind: "load", pyodide, grader} with two addresses, then {kind: "grade", id, source}.
// Out: {kind: "progress", loaded} in bytes, {kind: "ready"}, {kind: "verdict", verdict}, and
//      {kind: "failed", message} when Python itself could not do its work.

let grade = null;

self.onmessage = async ({ data }) => {
  try {
    if (data.kind === "load") {
      grade = await load(data);
      self.postMessage({ kind: "ready" });
    } else {
      const verdict = JSON.parse(grade(data.id, data.source));
      self.postMessage({ kind: "verdict", verdict });
    }
  } catch (error) {
    self.postMessage({ kind: "failed", message: firstLine(error) });
  }
};

const firstLine = (error) => String(error?.message ?? error).trim().split("\n")[0];

/** The function that grades. Pyodide itself may wait for ever for a file that is not there. */
function load(addresses) {
  const plain = self.fetch;
  return new Promise((resolve, reject) => {
    self.fetch = counting(plain, reject);
    start(addresses).then(resolve, reject);
  }).finally(() => { self.fetch = plain; });
}

async function start({ pyodide: folder, grader }) {
  const archive = fetch(grader).then((response) => response.arrayBuffer());
  const { loadPyodide } = await import(`${folder}pyodide.js`);
  const silent = () => {};
  const options = { indexURL: folder, packages: ["numpy"], stdin: () => null };
  const python = await loadPyodide({ ...options, stdout: silent, stderr: silent });
  python.unpackArchive(await archive, "zip");
  return python.pyimport("grading").grade;
}

/** A fetch that tells how many bytes have arrived, and calls `fail` where a file does not. */
function counting(fetch, fail) {
  let loaded = 0;
  return async (address, ...rest) => {
    const name = new URL(address.url ?? address, self.location).pathname.split("/").pop();
    const response = await fetch(address, ...rest).catch(() => null);
    if (!response?.ok) {
      const error = new Error(`${name} did not arrive`);
      fail(error);
      throw error;
    }
    const count = new TransformStream({
      transform(chunk, controller) {
        loaded += chunk.length;
        self.postMessage({ kind: "progress", loaded });
        controller.enqueue(chunk);
      },
    });
    const headers = new Headers(response.headers);
    if (name.endsWith(".wasm")) headers.set("Content-Type", "application/wasm"); // some servers do not know
    return new Response(response.body.pipeThrough(count), { headers });
  };
}
