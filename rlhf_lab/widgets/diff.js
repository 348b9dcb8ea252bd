// What changed between two texts, word by word.

const LARGEST_TABLE = 4_000_000; // cells; beyond it the whole middle counts as rewritten

// Returns [["same" | "del" | "ins", text], ...]. Without "ins" this gives `before`, without "del" it gives `after`.
// Texts are split into words, signs and spaces, and as many as possible stay the same (longest common subsequence, by
// dynamic programming from the end).
function wordChanges(before, after) {
  const split = (text) => text.match(/\s|[\p{L}\p{M}\p{N}_'’]+|[^\s]/gu) || [];
  const old = split(before);
  const fresh = split(after);
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
  let tail = 0;
  while (tail < Math.min(old.length, fresh.length) - start && old.at(-1 - tail) === fresh.at(-1 - tail)) tail += 1;

  const a = old.slice(start, old.length - tail);
  const b = fresh.slice(start, fresh.length - tail);
  const changes = [];
  const add = (kind, part) => {
    const last = changes.at(-1);
    if (last && last[0] === kind) last[1] += part;
    else changes.push([kind, part]);
  };
  old.slice(0, start).forEach((part) => add("same", part));
  if (a.length * b.length > LARGEST_TABLE) {
    a.forEach((part) => add("del", part));
    b.forEach((part) => add("ins", part));
  } else {
    const width = b.length + 1;
    const common = new Uint32Array((a.length + 1) * width); // common[i, j]: parts shared by a[i:] and b[j:]
    for (let i = a.length - 1; i >= 0; i -= 1) {
      for (let j = b.length - 1; j >= 0; j -= 1) {
        common[i * width + j] = a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
      }
    }
    let i = 0;
    let j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) {
        add("same", a[i]);
        i += 1;
        j += 1;
      } else if (j >= b.length || (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
        add("del", a[i]);
        i += 1;
      } else {
        add("ins", b[j]);
        j += 1;
      }
    }
  }
  if (tail) old.slice(old.length - tail).forEach((part) => add("same", part));
  return changes;
}
