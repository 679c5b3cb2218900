import { Type } from 'typebox';
import { limits } from '../../message/limits.ts';

export const RejectedLines = Type.Array(
  Type.Object({ line: Type.Integer(), code: Type.String(), detail: Type.String() }),
  { description: `the first ${limits.errorsListedMax} rejected lines; /rejections has all` },
);
