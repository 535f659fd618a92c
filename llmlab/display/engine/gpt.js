// A GPT that runs in the page: llmlab.models.GPT with rotary positions, layer norm and gelu, on plain
// arrays, with a key-value cache. T tokens, D width, H heads, K head width, F hidden width,
// V vocabulary. Matrices lie row after row, those of linear layers as (out, in), as in PyTorch.

import { linearLayers } from "./linear.js";

const damaged = (what) => new Error(`The model’s file is damaged: ${what}.`);

const SCALES = Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** The number that these 16 bits stand for. */
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent < 31 ? ((exponent && 1024) + fraction) * SCALES[exponent] : fraction ? NaN : Infinity;
  return bits >> 15 ? -size : size;
}

const TYPES = {
  F32: { size: 4, floats: (buffer) => new Float32Array(buffer) },
  F16: { size: 2, floats: (buffer) => new Float32Array(new Uint16Array(buffer)).map(half) },
};

/** The tensors of a safetensors file, given as a DataView: name -> {shape, data}, as float32. */
export function readSafetensors({ buffer, byteOffset, byteLength }) {
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const start = byteLength < 8 ? Infinity : 8 + Number(new DataView(bytes).getBigUint64(0, true));
  if (start > byteLength) throw damaged("it ends too early");
  let header;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.slice(8, start)));
  } catch {
    throw damaged("its header is not JSON");
  }
  const content = bytes.slice(start);
  const names = Object.keys(header ?? {}).filter((name) => name !== "__metadata__");
  return new Map(names.map((name) => [name, readTensor(content, name, header[name])]));
}

function readTensor(bytes, name, entry) {
  const { dtype, shape, data_offsets: offsets } = entry ?? {};
  if (!(dtype in TYPES)) throw damaged(`${name} holds ${dtype}, where only F16 and F32 are read`);
  const { size, floats } = TYPES[dtype];
  const length = shape?.reduce?.((product, side) => product * side, 1);
  const [from, to] = [offsets?.[0], offsets?.[1]];
  if (!(from >= 0 && to - from === length * size)) throw damaged(`${name} does not fit its shape`);
  if (to > bytes.byteLength) throw damaged("it ends too early");
  const data = floats(bytes.slice(from, to));
  if (!data.every(Number.isFinite)) throw damaged(`${name} holds something that is not a number`);
  return { shape, data };
}

/** The sizes and the weights of a trained GPT. */
export class GPT {
  constructor({ vocab_size: V, context, layers, heads: H, width: D }, bytes) {
    const tensors = readSafetensors(bytes);
    const tensor = (name, ...shape) => {
      const found = tensors.get(name);
      if (String(found?.shape) !== String(shape)) throw damaged(`${name} must be of shape ${shape}`);
      return found.data;
    };
    const bias = (name, length) => (tensors.has(name) ? tensor(name, length) : new Float32Array(length));
    const norm = (name) => ({ weight: tensor(`${name}.weight`, D), bias: bias(`${name}.bias`, D) });
    const makeLinear = linearLayers(context, Math.max(4 * D, V));
    // one layer of several names computes them all at once, side by side
    const join = (parts) => Float32Array.from(parts.flatMap((part) => [...part]));
    const linear = (names, inputs, outputs) => makeLinear({
      inputs,
      outputs: names.length * outputs,
      weight: join(names.map((name) => tensor(`${name}.weight`, outputs, inputs))),
      bias: join(names.map((name) => bias(`${name}.bias`, outputs))),
    });
    Object.assign(this, { V, context, D, H, K: D / H, F: 4 * D });
    this.embedding = tensor("token_embedding.weight", V, D);
    this.unembedding = makeLinear({ inputs: D, outputs: V, weight: this.embedding, bias: new Float32Array(V) });
    this.norm = norm("norm");
    [this.cos, this.sin] = [Math.cos, Math.sin].map((wave) => angles(context, D / H).map(wave));
    this.blocks = Array.from({ length: layers }, (_, layer) => ({
      attentionNorm: norm(`blocks.${layer}.attention_norm`),
      queryKeyValue: linear(["query", "key", "value"].map((name) => `blocks.${layer}.attention.${name}`), D, D),
      attentionOutput: linear([`blocks.${layer}.attention.output`], D, D),
      feedForwardNorm: norm(`blocks.${layer}.feed_forward_norm`),
      expand: linear([`blocks.${layer}.feed_forward.expand`], D, 4 * D),
      output: linear([`blocks.${layer}.feed_forward.output`], 4 * D, D),
    }));
  }
}

/**
 * What a GPT makes of a text. Row t of every array belongs to token t. `stream` is what runs through
 * the model: after the embedding, and after each part that adds to it. `queryKeyValue` holds the keys
 * and values that a cache keeps, one array a layer: a text that goes on costs its new tokens alone.
 */
export class Reading {
  constructor(gpt, off = []) {
    const { context: C, blocks, D, H, V, F } = gpt;
    const rows = (width) => new Float32Array(C * width);
    const each = (width) => blocks.map(() => rows(width));
    this.gpt = gpt;
    this.off = new Set(off.map(String)); // heads that are silent, as "layer,head"
    this.tokens = [];
    this.stream = [rows(D), ...each(D), ...each(D)];
    [this.queryKeyValue, this.attention] = [each(3 * D), each(H * C)];
    [this.normed, this.mixed, this.hidden, this.last, this.logits] = [rows(D), rows(D), rows(F), rows(D), rows(V)];
  }

  /** Read these tokens, at most `context`; what was read of the same tokens before is kept. */
  read(tokens) {
    const { gpt, stream, normed } = this;
    let from = 0;
    while (from < tokens.length && tokens[from] === this.tokens[from]) from++;
    const to = tokens.length;
    this.tokens = [...tokens];
    for (let t = from; t < to; t++) {
      stream[0].set(gpt.embedding.subarray(tokens[t] * gpt.D, (tokens[t] + 1) * gpt.D), t * gpt.D);
    }
    gpt.blocks.forEach((block, layer) => {
      const [before, between, after] = stream.slice(2 * layer, 2 * layer + 3);
      layerNorm(block.attentionNorm, before, from, to, normed);
      block.queryKeyValue(normed, from, to, this.queryKeyValue[layer]);
      this.#attend(layer, from, to);
      block.attentionOutput(this.mixed, from, to, between);
      add(before, from * gpt.D, to * gpt.D, between);
      layerNorm(block.feedForwardNorm, between, from, to, normed);
      block.expand(normed, from, to, this.hidden);
      gelu(this.hidden, from * gpt.F, to * gpt.F);
      block.output(this.hidden, from, to, after);
      add(between, from * gpt.D, to * gpt.D, after);
    });
    layerNorm(gpt.norm, stream.at(-1), from, to, this.last);
    gpt.unembedding(this.last, from, to, this.logits);
    return this;
  }

  /** The scores (V) of the token after token t. */
  scores(t) {
    return this.logits.subarray(t * this.gpt.V, (t + 1) * this.gpt.V);
  }

  /** How much token t attends to each token before it and to itself, in one head (t + 1 weights). */
  weights(layer, head, t) {
    const { context: C, H } = this.gpt;
    const row = (t * H + head) * C;
    return this.attention[layer].subarray(row, row + t + 1);
  }

  /** -log p of every token but the first, in nats; their mean is the loss of the text. */
  surprises() {
    return this.tokens.slice(1).map((token, t) => {
      const scores = this.scores(t);
      let most = -Infinity, sum = 0;
      for (const score of scores) most = Math.max(most, score);
      for (const score of scores) sum += exp(score - most);
      return most + Math.log(sum) - scores[token];
    });
  }

  #attend(layer, from, to) {
    const { D, H, K } = this.gpt;
    const qkv = this.queryKeyValue[layer];
    for (let t = from; t < to; t++) {
      for (let part = 0; part < 2 * H; part++) rotate(this.gpt, qkv, t * 3 * D + part * K, t);
      for (let head = 0; head < H; head++) {
        const query = t * 3 * D + head * K;
        const weights = this.weights(layer, head, t);
        for (let s = 0; s <= t; s++) {
          const key = s * 3 * D + D + head * K;
          weights[s] = dot(qkv, query, key, K) / Math.sqrt(K);
        }
        softmax(weights);
        const out = this.mixed.subarray(t * D + head * K, t * D + (head + 1) * K).fill(0);
        if (this.off.has(`${layer},${head}`)) continue;
        for (let s = 0; s <= t; s++) {
          const [weight, value] = [weights[s], s * 3 * D + 2 * D + head * K];
          for (let i = 0; i < K; i++) out[i] += weight * qkv[value + i];
        }
      }
    }
  }
}

function add(x, from, to, out) {
  for (let i = from; i < to; i++) out[i] += x[i];
}

/** The product of two vectors of x. Two sums take turns, as a sum waits for the one before it. */
function dot(x, a, b, length) {
  let even = 0, odd = 0;
  for (let i = 0; i < length; i += 2) {
    even += x[a + i] * x[b + i];
    odd += x[a + i + 1] * x[b + i + 1];
  }
  return even + odd;
}

/** Each row to mean 0 and variance 1, then × weight + bias. */
function layerNorm({ weight, bias }, x, from, to, out) {
  const D = weight.length;
  for (let row = from * D; row < to * D; row += D) {
    let mean = 0, variance = 0;
    for (let i = 0; i < D; i++) mean += x[row + i] / D;
    for (let i = 0; i < D; i++) variance += (x[row + i] - mean) ** 2 / D;
    const scale = 1 / Math.sqrt(variance + 1e-5);
    for (let i = 0; i < D; i++) out[row + i] = (x[row + i] - mean) * scale * weight[i] + bias[i];
  }
}

/** The angles (T, K/2) by which rotary positions turn each pair of features. */
function angles(context, K) {
  const rates = Array.from({ length: K / 2 }, (_, i) => 10000 ** ((-2 * i) / K));
  return Float64Array.from({ length: (context * K) / 2 }, (_, at) => Math.floor((at * 2) / K) * rates[at % (K / 2)]);
}

/** Turn the pairs (i, i + K/2) of the query or key that starts at `at`, of position t. */
function rotate({ cos, sin, K }, x, at, t) {
  for (let i = 0; i < K / 2; i++) {
    const c = cos[(t * K) / 2 + i], s = sin[(t * K) / 2 + i];
    const a = x[at + i], b = x[at + i + K / 2];
    x[at + i] = a * c - b * s;
    x[at + i + K / 2] = a * s + b * c;
  }
}

const POWERS = Float64Array.from({ length: 1601 }, (_, n) => Math.exp(-n / 16));

/** e^x for x ≤ 0, right to 1e-8 of it: a table, then a short series. Math.exp takes nearly three times as long. */
function exp(x) {
  if (x < -100) return 0;
  const n = Math.floor(-16 * x);
  const rest = x + n / 16;
  return POWERS[n] * (1 + rest * (1 + (rest / 2) * (1 + (rest / 3) * (1 + rest / 4))));
}

/** x Φ(x). The error function is Abramowitz and Stegun's 7.1.26, right to 1.5e-7. */
function gelu(x, from, to) {
  for (let i = from; i < to; i++) {
    const z = Math.abs(x[i]) / Math.SQRT2;
    const t = 1 / (1 + 0.3275911 * z);
    const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    const tail = 0.5 * series * exp(-z * z); // 1 - Φ(|x|)
    x[i] *= x[i] < 0 ? tail : 1 - tail;
  }
}

function softmax(x) {
  let most = -Infinity, sum = 0;
  for (const value of x) most = Math.max(most, value);
  for (let i = 0; i < x.length; i++) sum += x[i] = exp(x[i] - most);
  for (let i = 0; i < x.length; i++) x[i] /= sum;
}
