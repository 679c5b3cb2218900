const tasks: (() => Promise<void>)[] = [];

/** Runs `task` when the tests of the present file are over. For modules that outlive a file, whose own `afterAll` would be that of the first one alone. */
export function afterFile(task: () => Promise<void>): void {
  tasks.push(task);
}

export async function runAfterFile(): Promise<void> {
  for (const task of tasks.splice(0)) await task();
}
