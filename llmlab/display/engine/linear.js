// Linear layers, nearly all of the work. A processor multiplies four numbers at once (SIMD); JavaScript
// cannot ask for that, WebAssembly can: so the innermost loop is written in it, instruction by instruction.

const PANEL = 16; // outputs computed together, four vectors of four numbers
const ROWS = 2; // rows of x computed together

/**
 * Makes linear layers for up to `rows` rows of up to `width` numbers. All of them share one memory,
 * where weights lie as they are read: for 16 outputs the biases, then the weights of input 0, 1, ...
 */
export function linearLayers(rows, width) {
  const memory = new WebAssembly.Memory({ initial: 0 });
  const take = (numbers) => memory.grow(Math.ceil(numbers / 16_384)) * 65_536; // its address, in bytes
  const multiply = makeTile(memory);
  const [here, there] = [take((rows + 1) * width), take((rows + 1) * (width + PANEL))];

  /** out = x weightᵀ + bias for rows from..to, as a function (x, from, to, out). */
  return function linear({ inputs, outputs, weight, bias }) {
    const panels = Math.ceil(outputs / PANEL);
    const packed = take(panels * PANEL * (inputs + 1));
    const numbers = new Float32Array(memory.buffer);
    for (let o = 0; o < outputs; o++) {
      const first = packed / 4 + (o - (o % PANEL)) * (inputs + 1) + (o % PANEL);
      numbers[first] = bias[o];
      for (let i = 0; i < inputs; i++) numbers[first + (i + 1) * PANEL] = weight[o * inputs + i];
    }
    return (x, from, to, out) => {
      const numbers = new Float32Array(memory.buffer);
      const [row, line] = [4 * inputs, 4 * panels * PANEL]; // bytes of a row of x, and of out
      numbers.set(x.subarray(from * inputs, to * inputs), here / 4);
      for (let panel = 0; panel < panels; panel++) {
        const weights = packed + 4 * panel * PANEL * (inputs + 1);
        for (let t = 0; t < to - from; t += ROWS) { // past a last odd row lies room to spare
          const [source, target] = [here + t * row, there + t * line + 4 * panel * PANEL];
          multiply(source, source + row, weights, target, target + line, inputs);
        }
      }
      for (let t = from; t < to; t++) {
        const result = (there + (t - from) * line) / 4;
        out.set(numbers.subarray(result, result + outputs), t * outputs);
      }
    };
  };
}

/** The tile in WebAssembly; where the browser cannot or may not, the same in JavaScript, slower. */
function makeTile(memory) {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(assemble()), { m: { m: memory } }).exports.t;
  } catch {
    return plainTile(memory);
  }
}

/** Two rows of x times one panel; all but `inputs` are addresses. */
const plainTile = (memory) => (x, y, panel, out, next, inputs) => {
  const { fround } = Math; // every step is rounded to 32 bits, as in the vectors
  const numbers = new Float32Array(memory.buffer);
  for (const [row, target] of [[x / 4, out / 4], [y / 4, next / 4]]) {
    for (let o = 0; o < PANEL; o++) {
      let sum = numbers[panel / 4 + o];
      for (let i = 0; i < inputs; i++) {
        sum = fround(sum + fround(numbers[row + i] * numbers[panel / 4 + (i + 1) * PANEL + o]));
      }
      numbers[target + o] = sum;
    }
  }
};

/** The tile as a WebAssembly module: the same loops, the one over outputs four at a time. */
function assemble() {
  const [x, y, panel, out, next, inputs] = [0, 1, 2, 3, 4, 5]; // parameters, then local vectors:
  const quarters = [0, 1, 2, 3];
  const sums = [quarters.map((q) => 6 + q), quarters.map((q) => 10 + q)];
  const [weights, factor] = [quarters.map((q) => 14 + q), 18];

  const get = (local) => [0x20, local];
  const set = (local) => [0x21, local];
  const increase = (local, by) => [...get(local), 0x41, ...by, 0x6a, ...set(local)]; // i32.const, i32.add
  const load = (q) => [...get(panel), 0xfd, 0, 2, 16 * q]; // v128.load
  const repeat = (address) => [...get(address), 0xfd, 9, 2, 0]; // v128.load32_splat: one number, four times
  const store = (address, q, vector) => [...get(address), ...get(vector), 0xfd, 11, 2, 16 * q]; // v128.store
  const [times, plus] = [[0xfd, 0xe6, 1], [0xfd, 0xe4, 1]]; // f32x4.mul, f32x4.add

  const addProducts = (address, sum) => [...repeat(address), ...set(factor), ...increase(address, [4]),
    ...quarters.flatMap((q) => [...get(sum[q]), ...get(factor), ...get(weights[q]), ...times, ...plus, ...set(sum[q])])];
  const body = [
    ...sums.flatMap((sum) => quarters.flatMap((q) => [...load(q), ...set(sum[q])])), // the biases
    0x03, 0x40, // loop
    ...increase(panel, [0xc0, 0]), // by 64 bytes
    ...quarters.flatMap((q) => [...load(q), ...set(weights[q])]),
    ...addProducts(x, sums[0]), ...addProducts(y, sums[1]),
    ...increase(inputs, [0x7f]), ...get(inputs), 0x0d, 0, // by -1; again, if inputs are left
    0x0b, // end of the loop
    ...[out, next].flatMap((address, row) => quarters.flatMap((q) => store(address, q, sums[row][q]))),
    0x0b,
  ];

  const size = (length) => (length < 128 ? [length] : [(length & 127) | 128, length >> 7]);
  const part = (bytes) => [...size(bytes.length), ...bytes];
  const [i32, v128, m, t] = [0x7f, 0x7b, [1, 0x6d], [1, 0x74]];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
    1, ...part([1, 0x60, 6, i32, i32, i32, i32, i32, i32, 0]), // one type: six integers, no result
    2, ...part([1, ...m, ...m, 2, 0, 0]), // the memory comes from outside,
    3, ...part([1, 0]), // one function of that type
    7, ...part([1, ...t, 0, 0]), // goes out as "t",
    10, ...part([1, ...part([1, 13, v128, ...body])]), // and this is its code
  ]);
}
