import { createSecretBox } from '../../src/lib/secret-box.ts';

/** 32 bytes in base64. */
export const testSecretKey = Buffer.alloc(32, 'test key').toString('base64');

export const testSecrets = createSecretBox([Buffer.from(testSecretKey, 'base64')]);
