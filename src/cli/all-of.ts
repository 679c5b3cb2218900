/** Every item of a list that comes page by page. (Array.fromAsync needs Node 22.) */
export async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
