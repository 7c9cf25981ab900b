/** What an answer costs: the time of the fastest of three, which a busy machine does not lengthen, and memory. */
export type Cost<T> = { readonly answer: T; readonly milliseconds: number; readonly mebibytes: number };

export async function costOf<T>(answering: () => T | Promise<T>): Promise<Cost<T>> {
  const peak = process.resourceUsage().maxRSS;
  const runs: { answer: T; took: number }[] = [];
  for (let nth = 0; nth < 3; nth += 1) {
    const began = performance.now();
    const answer = await answering();
    runs.push({ answer, took: performance.now() - began });
  }
  const [fastest] = runs.sort((a, b) => a.took - b.took);
  if (fastest === undefined) throw new Error('nothing was run');
  const mebibytes = (process.resourceUsage().maxRSS - peak) / 1024;
  return { answer: fastest.answer, milliseconds: fastest.took, mebibytes };
}
