// Numbers as readers type them, and what to say of one that is not the answer.
export const numbers = (() => {
  /**
   * What a text may mean as a number: "1,024" is 1024 to some and 1.024 to others, "0,125" is 0.125
   * to everyone who writes it. Empty if it is no number.
   */
  function readings(text) {
    const clean = text.replace(/[\s_%’']/g, "").replace(/[−–]/, "-").replace(/^\+/, "");
    const asWritten = ([group, point]) => {
      const whole = `(\\d+|[1-9]\\d{0,2}(\\${group}\\d{3})+)`;
      const fits = new RegExp(`^-?(${whole}(\\${point}\\d*)?|\\${point}\\d+)(e[-+]?\\d+)?$`, "i");
      return fits.test(clean) ? Number(clean.replaceAll(group, "").replace(point, ".")) : NaN;
    };
    return [...new Set([",.", ".,"].map(asWritten))].filter(Number.isFinite);
  }

  const alike = (a, b) => Math.abs(a - b) <= 0.005 * Math.abs(b);

  /** Which way the wanted number lies, or which slip would explain the value. */
  function direction(value, wanted) {
    const ratio = value / wanted;
    if (alike(ratio, -1)) return "check the sign";
    const power = Math.round(Math.log10(ratio));
    if (power && ratio && wanted && alike(ratio, 10 ** power)) return "the digits are right, the decimal point is not";
    return value < wanted ? "the answer is larger" : "the answer is smaller";
  }

  return { readings, direction };
})();
