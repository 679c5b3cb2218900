/**
 * The same items, the first of them made already: what fails at once fails here, while the answer can still
 * say so with its status.
 */
export async function primed<Item>(items: AsyncGenerator<Item>): Promise<AsyncGenerator<Item>> {
  const first = await items.next();
  async function* again(): AsyncGenerator<Item> {
    try {
      if (!first.done) yield first.value;
      yield* items;
    } finally {
      await items.return(undefined);
    }
  }
  return again();
}
