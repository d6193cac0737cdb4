import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { withTables } from '../../device-sim/docs.ts'
import { scenarioJsonSchema } from '../../device-sim/json-schema.ts'

const schemaFile = new URL('../../examples/fleet/scenario.schema.json', import.meta.url)
const page = new URL('../../docs/fleet.md', import.meta.url)

test('the JSON Schema for editors is that of the code; UPDATE=1 writes it', async () => {
  const schema = `${JSON.stringify(scenarioJsonSchema(), undefined, 2)}\n`
  if (process.env.UPDATE) await writeFile(schemaFile, schema)
  else expect(await readFile(schemaFile, 'utf8')).toBe(schema)
})

test('the tables of docs/fleet.md are those of the code; UPDATE=1 writes them', async () => {
  const written = await readFile(page, 'utf8')
  const updated = withTables(written)
  if (process.env.UPDATE) await writeFile(page, updated)
  else expect(written).toBe(updated)
  expect(updated.match(/<!-- table: /g)).toHaveLength(9)
})

test('every field is described', () => {
  const blank = withTables(['scenario', 'population', 'sensors'].map((name) => `<!-- table: ${name} -->\n<!-- end -->`).join('\n'))
  expect(blank.split('\n').filter((line) => line.endsWith('|  |'))).toEqual([])
})

test('a table nobody writes is an error', () => {
  expect(() => withTables('<!-- table: nothing -->\n<!-- end -->')).toThrow('there is no table "nothing"')
})
