import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { toActionsPage } from '../../../gateway/actions/docs.ts'
import { actionNames } from '../../../gateway/actions/index.ts'

const file = new URL('../../../docs/actions.md', import.meta.url)

test('the page is what the schemas say; UPDATE=1 writes it', async () => {
  if (process.env.UPDATE) await writeFile(file, toActionsPage())
  expect(await readFile(file, 'utf8')).toBe(toActionsPage())
})

test('every action and every parameter has a description', () => {
  const page = toActionsPage()
  for (const name of actionNames) expect(page).toContain(`## ${name}`)
  expect(page.split('\n').filter((line) => /^\| `.*\| +\|$/.test(line))).toEqual([])
})
