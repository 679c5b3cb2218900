import { runCommand } from '../run-command.ts';

export interface UserIds {
  uid: number;
  gid: number;
}

export async function userIds(user: string): Promise<UserIds> {
  const [uid, gid] = await Promise.all([runCommand('id', ['-u', user]), runCommand('id', ['-g', user])]);
  return { uid: Number(uid), gid: Number(gid) };
}
