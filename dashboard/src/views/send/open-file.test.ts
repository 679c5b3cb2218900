import { expect, test } from 'vitest';
import { openFile } from './open-file.ts';

const open = (text: string) => openFile(new File([text], 'people.csv'));

test('a CSV without a header is refused, which would lose its first recipient', async () => {
  for (const first of ['+31612345678,Ada', 'Ada,0031 (6) 1234-5678', '"ada@example.com",Ada']) {
    await expect(open(`${first}\n+31612345679,Bob\n`)).rejects.toMatchObject({
      code: 'wrong_file',
      detail: 'The first line must name the columns.',
    });
  }
});

test('the header of a CSV is read up to its end, behind a byte order mark, whatever its names are', async () => {
  const opened = await open('\ufeff"phone\nnumber",2024,line 1\n+31612345678,a,b\n');
  expect(opened.columns).toEqual(['phone\nnumber', '2024', 'line 1']);
  expect(opened.rows).toEqual([['+31612345678', 'a', 'b']]);
  expect(await opened.file.slice(opened.dataStart).text()).toBe('+31612345678,a,b\n');
});
