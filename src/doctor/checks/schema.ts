import { schemaMisfit, schemaVersions } from '../../store/schema-fit.ts';
import type { Check } from '../check.ts';

export const schema: Check = {
  name: 'schema',
  async run({ database }) {
    const versions = await schemaVersions(database);
    const { needed, present } = versions;
    const misfit = schemaMisfit(versions);
    if (misfit) {
      const mend = present < needed ? 'millrace migrate' : 'Run the newer Millrace that made the schema.';
      return [{ severity: 'error', summary: misfit, mend }];
    }
    const summary =
      present === needed
        ? `version ${present}, as this program needs it`
        : `version ${present}, newer than this program's ${needed}, which works with it`;
    return [{ severity: 'ok', summary }];
  },
};
