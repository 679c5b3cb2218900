import { serveTasks } from '../../lib/serve-tasks.ts';
import { type CallbackChunk, type CallbackTask, makeCallbacks } from './make-callbacks.ts';

/** Callbacks give way to messages when they want the same core. */
const niceness = 10;

serveTasks<CallbackTask, CallbackChunk[]>((task) => ({ result: makeCallbacks(task) }), { niceness });
