// The page is what the code computes from the price books and the run that is kept with it; UPDATE=1 writes it.
import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { costPage } from '../../cost/docs.ts'
import { readRun } from '../../cost/measurement.ts'
import { runFile } from '../helpers/cost-run.ts'

const file = new URL('../../docs/cost.md', import.meta.url)

test('docs/cost.md has the figures of today’s price books', { timeout: 90_000 }, async () => {
  const page = costPage(await readRun(runFile))
  if (process.env.UPDATE) await writeFile(file, page)
  expect(await readFile(file, 'utf8')).toBe(page)
})
