/** Cuts a list into runs that weigh at most `max` together; an item that weighs more is a run by itself. */
export function* byWeight<Item>(
  items: readonly Item[],
  settings: { weight: (item: Item) => number; max: number },
): Generator<Item[]> {
  let run: Item[] = [];
  let sum = 0;
  for (const item of items) {
    const weight = settings.weight(item);
    if (run.length > 0 && sum + weight > settings.max) {
      yield run;
      run = [];
      sum = 0;
    }
    run.push(item);
    sum += weight;
  }
  if (run.length > 0) yield run;
}
