/**
 * Gathers items until `schedule` runs what it was given, and has `handle` handle all of them together: code that is run again and
 * again at once stays in the processor's caches, where items that take turns with other work find them full of that.
 */
export function gather<Item>(
  schedule: (run: () => void) => void,
  handle: (items: readonly Item[]) => void,
): (item: Item) => void {
  let items: Item[] = [];
  return (item) => {
    if (items.push(item) > 1) return;
    schedule(() => {
      const gathered = items;
      items = [];
      handle(gathered);
    });
  };
}
