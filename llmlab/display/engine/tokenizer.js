// Text to tokens and back, as llmlab.data does it: byte-level BPE, single bytes, single characters.

// GPT-2's pattern cuts text into words, a word keeping the space before it.
const WORDS = new RegExp(
  ["'(?:[sdmt]|ll|ve|re)", " ?\\p{L}+", " ?\\p{N}+", " ?[^\\p{White_Space}\\p{L}\\p{N}]+",
    "\\p{White_Space}+(?!\\P{White_Space})", "\\p{White_Space}+"].join("|"), "gu");

/** Merges neighbouring bytes within a word, the earliest learned pair first. */
class BPETokenizer {
  #ids = new Map(); // pair of ids, as left * V + right -> id of both together
  #byteIds = new Map();
  #words = new Map(); // word -> ids, for words met before

  constructor(bytes, merges) {
    this.size = bytes.length + merges.length;
    this.vocabulary = bytes.map((byte) => [byte]);
    bytes.forEach((byte, id) => this.#byteIds.set(byte, id));
    for (const [left, right] of merges) {
      this.#ids.set(left * this.size + right, this.vocabulary.length);
      this.vocabulary.push([...this.vocabulary[left], ...this.vocabulary[right]]);
    }
  }

  encode(text) {
    if (this.#words.size > 10_000) this.#words.clear();
    return (text.match(WORDS) ?? []).flatMap((word) => {
      if (!this.#words.has(word)) this.#words.set(word, this.#merge(word));
      return this.#words.get(word);
    });
  }

  decode(ids) {
    return this.decoder()(ids, false);
  }

  /** A function that decodes token by token and holds back the bytes of an unfinished character. */
  decoder() {
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    return (ids, stream = true) => utf8.decode(Uint8Array.from(ids.flatMap((id) => this.vocabulary[id])), { stream });
  }

  /** One token for the eye: bytes that are no whole character read \xe2. */
  piece(id) {
    const text = this.decode([id]);
    if (!text.includes("\ufffd")) return text;
    return this.vocabulary[id].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  }

  #merge(word) {
    let ids = Array.from(new TextEncoder().encode(word), (byte) => this.#byteIds.get(byte));
    for (;;) {
      const first = ids.slice(1).reduce((least, right, at) =>
        Math.min(least, this.#ids.get(ids[at] * this.size + right) ?? Infinity), Infinity);
      if (first === Infinity) return ids;
      const merged = [];
      for (let at = 0; at < ids.length; at++) {
        const met = at + 1 < ids.length && this.#ids.get(ids[at] * this.size + ids[at + 1]) === first;
        merged.push(met ? first : ids[at]);
        if (met) at++;
      }
      ids = merged;
    }
  }
}

class CharTokenizer {
  #ids;

  constructor(characters) {
    this.size = characters.length;
    this.characters = characters;
    this.#ids = new Map(characters.map((character, id) => [character, id]));
  }

  encode(text) {
    const unknown = [...new Set(text)].filter((character) => !this.#ids.has(character));
    if (unknown.length) {
      const named = unknown.slice(0, 8).map((character) => `“${character}”`).join(" ");
      throw new Error(`This model knows ${this.size} characters, and not ${named}${unknown.length > 8 ? " …" : ""}.`);
    }
    return Array.from(text, (character) => this.#ids.get(character));
  }

  decode(ids) {
    return ids.map((id) => this.characters[id]).join("");
  }

  decoder() {
    return (ids) => this.decode(ids);
  }

  piece(id) {
    return this.characters[id];
  }
}

/** The tokenizer that `Tokenizer.to_dict()` of llmlab.data described. */
export function makeTokenizer({ kind, characters, bytes, merges }) {
  if (kind === "char") return new CharTokenizer(characters);
  if (kind === "byte") return new BPETokenizer(Array.from({ length: 256 }, (_, byte) => byte), []);
  return new BPETokenizer(bytes, merges);
}
