/** Does each work it is given, `count` at once; the others wait, first come, first served. */
export const atMost = (count: number): (<Result>(work: () => Promise<Result>) => Promise<Result>) => {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
};
