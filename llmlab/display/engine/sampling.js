// From scores to text, as llmlab.inference does it. The random numbers are PyTorch's own (Mersenne
// twister, Matsumoto and Nishimura 1998): the same seed writes the same text here and in Python.

class Random {
  #state = new Uint32Array(624);
  #at = 624;

  constructor(seed) {
    this.#state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const before = this.#state[i - 1];
      this.#state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** A number from 0 to below 1, of 53 random bits. */
  next() {
    const high = this.#bits() & 0x1fffff;
    return (high * 2 ** 32 + this.#bits()) / 2 ** 53;
  }

  #bits() {
    if (this.#at === 624) this.#twist();
    let bits = this.#state[this.#at++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  }

  #twist() {
    const state = this.#state;
    for (let i = 0; i < 624; i++) {
      const bits = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
      state[i] = state[(i + 397) % 624] ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
    }
    this.#at = 0;
  }
}

/** Token ids from the likeliest to the least likely; equals in the order of their ids. */
export const ranked = (scores) => Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);

/** The probabilities of the next token: temperature first (0 is greedy), then top-k, then top-p. */
export function probabilities(scores, { temperature = 1, topK = Infinity, topP = 1 } = {}) {
  const order = ranked(scores).slice(0, temperature === 0 ? 1 : topK);
  const parts = order.map((id) => Math.exp((scores[id] - scores[order[0]]) / (temperature || 1)));
  const total = parts.reduce((sum, part) => sum + part, 0);
  const result = new Float64Array(scores.length);
  let kept = 0;
  for (let rank = 0; rank < order.length && (topP >= 1 || kept < topP); rank++) {
    result[order[rank]] = parts[rank] / total;
    kept += parts[rank] / total;
  }
  return result.map((probability) => probability / kept);
}

/** The first token whose cumulative probability exceeds a number from 0 to below 1. */
function draw(chances, number) {
  const total = chances.reduce((sum, chance) => sum + chance, 0);
  let sum = 0;
  return chances.findIndex((chance) => (sum += chance) / total > number);
}

/** Where the part of a long text begins that the model reads: it moves on by half a context. */
function windowStart(length, context) {
  const hop = Math.max(1, Math.floor(context / 2));
  return Math.max(0, Math.ceil((length - context) / hop)) * hop;
}

/** Continue a text without end: yields token after token, as the knobs and the seed have it. */
export function* write(reading, tokens, { seed = 0, ...knobs } = {}) {
  const random = new Random(seed);
  const text = [...tokens];
  for (;;) {
    const seen = text.slice(windowStart(text.length, reading.gpt.context));
    const chances = probabilities(reading.read(seen).scores(seen.length - 1), knobs);
    text.push(draw(chances, random.next()));
    yield text.at(-1);
  }
}
