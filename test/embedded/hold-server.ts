import { startEmbedded } from '../../src/embedded/start-embedded.ts';

// A parent process for tests to kill: starts a server, says so on stdout, and lives until its input ends.
process.on('SIGINT', () => {});
const [dataDir = ''] = process.argv.slice(2);
try {
  const server = await startEmbedded({ dataDir });
  process.stdout.write(`${JSON.stringify({ url: server.url, pid: server.pid })}\n`);
  process.stdin.once('end', () => void server.stop()).resume();
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
}
