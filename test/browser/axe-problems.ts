import axe from 'axe-core';
import type { Page } from 'playwright-core';

interface Violation {
  id: string;
  impact: string | null;
  nodes: { html: string; failureSummary?: string }[];
}

/** The rule that tells of colours; another theme changes nothing else. */
export const contrastRule = 'color-contrast';

/** What axe-core finds serious or critical on the page as it is, by all of its rules or by one. */
export async function axeProblems(page: Page, rule?: typeof contrastRule): Promise<string[]> {
  // Evaluated by the debugger, which the page's Content-Security-Policy does not bind.
  if (await page.evaluate('globalThis.axe === undefined')) await page.evaluate(axe.source);
  const options = { resultTypes: ['violations'], ...(rule && { runOnly: [rule] }) };
  const violations = (await page.evaluate(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`,
  )) as Violation[];
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
}
