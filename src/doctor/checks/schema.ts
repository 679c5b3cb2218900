import { schemaVersions } from '../../store/migrate.ts';
import type { Check } from '../check.ts';

export const schema: Check = {
  name: 'schema',
  async run({ database }) {
    const { needed, present } = await schemaVersions(database);
    if (present === needed)
      return [{ severity: 'ok', summary: `version ${present}, as this program needs it` }];
    const summary = `the schema has version ${present}, this program needs ${needed}`;
    const mend = present < needed ? 'millrace migrate' : 'Run the newer Millrace that made the schema.';
    return [{ severity: 'error', summary, mend }];
  },
};
