// The page is what the code computes; UPDATE=1 writes it.
import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { costPage } from '../../cost/docs.ts'

const file = new URL('../../docs/cost.md', import.meta.url)

test('docs/cost.md has the figures of today’s price books', { timeout: 30_000 }, async () => {
  if (process.env.UPDATE) await writeFile(file, costPage())
  expect(await readFile(file, 'utf8')).toBe(costPage())
})
