import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { configJsonSchema, toConfigPage, toErrorsPage, toEventsPage } from '../../gateway/docs.ts'

const pages: Readonly<Record<string, () => string>> = {
  'config.md': toConfigPage,
  'config.schema.json': () => `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
  'errors.md': toErrorsPage,
  'events.md': toEventsPage,
}

test.each(Object.keys(pages))('docs/%s is what the code says; UPDATE=1 writes it', async (name) => {
  const file = new URL(`../../docs/${name}`, import.meta.url)
  const page = pages[name]!()
  if (process.env.UPDATE) await writeFile(file, page)
  expect(await readFile(file, 'utf8')).toBe(page)
})

test('every field of the configuration is described', () => {
  const undescribed = toConfigPage()
    .split('\n')
    .filter((line) => /^\| `.*\| +\|$/.test(line))
  expect(undescribed).toEqual([])
})
