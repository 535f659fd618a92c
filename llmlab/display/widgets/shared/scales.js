// Numbers and scales of a plot.
export const scales = (() => {
  const number = (value) => {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
    return size >= 100 ? value.toFixed(0) : size === 0 ? "0" : `${+value.toPrecision(3)}`;
  };
  const reading = (value) => (Number.isFinite(value) ? value.toFixed(value >= 100 ? 1 : 3) : "–");

  function scale(low, high, from, to, log) {
    const f = log ? Math.log10 : (value) => value;
    const span = f(high) - f(low) || 1;
    return (value) => from + ((f(value) - f(low)) / span) * (to - from);
  }

  function ticks(low, high, log, most) {
    if (log && high / low > 5) {
      const all = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
        for (const digit of [1, 2, 5]) all.push(digit * 10 ** power);
      }
      const inside = all.filter((value) => value >= low * 0.999 && value <= high * 1.001);
      return inside.length > most ? inside.filter((value) => Number.isInteger(+Math.log10(value).toFixed(6))) : inside;
    }
    const raw = (high - low) / most || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((digit) => digit * power).find((value) => value >= raw);
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(at * step);
    return found;
  }

  function nearest(values, target) {
    let best = 0;
    for (let i = 1; i < values.length; i++) if (Math.abs(values[i] - target) < Math.abs(values[best] - target)) best = i;
    return best;
  }

  return { number, reading, scale, ticks, nearest };
})();
