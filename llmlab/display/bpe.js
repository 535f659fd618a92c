// Byte-pair encoding as llmlab/data/bpe.py does it: cut the text into words, spell each in bytes,
// and replay the merges in the order in which they were learned.
const bpe = (() => {
  // GPT-2's pattern. White_Space and not \s, which in JavaScript also holds U+FEFF and lacks U+0085.
  const S = "\\p{White_Space}";
  const WORDS = new RegExp(`'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?!\\P{White_Space})|${S}+`, "gu");
  const cut = (text) => text.match(WORDS) || [];

  /** A tokenizer of `merges`, pairs of ids; `bytes` are the bytes that the ids below 256 stand for. */
  function tokenizer(bytes, merges) {
    const idOf = new Map(bytes.map((byte, id) => [byte, id]));
    const rank = new Map(merges.map(([left, right], index) => [`${left} ${right}`, index]));
    const vocabulary = bytes.map((byte) => [byte]);
    for (const [left, right] of merges) vocabulary.push([...vocabulary[left], ...vocabulary[right]]);

    /** The ids of one word after the first `steps` merges; `used` collects those that joined any. */
    function spell(word, steps, used = new Set()) {
      let ids = [...new TextEncoder().encode(word)].map((byte) => idOf.get(byte));
      const ranked = (at) => rank.get(`${ids[at]} ${ids[at + 1]}`) ?? Infinity;
      for (;;) {
        let best = Infinity;
        for (let at = 0; at + 1 < ids.length; at++) best = Math.min(best, ranked(at));
        if (best >= steps) return ids;
        ids = join(ids, merges[best], bytes.length + best);
        used.add(best + 1);
      }
    }

    return { spell, bytesOf: (id) => Uint8Array.from(vocabulary[id]) };
  }

  /** `ids` with every `pair`, from left to right, replaced by `token`. */
  function join(ids, [left, right], token) {
    const joined = [];
    for (let at = 0; at < ids.length; at++) {
      const met = ids[at] === left && ids[at + 1] === right;
      joined.push(met ? token : ids[at]);
      if (met) at += 1;
    }
    return joined;
  }

  /** Bytes as text, or null if they are only a part of a character. */
  function readable(bytes) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return null;
    }
  }

  return { cut, tokenizer, readable };
})();
