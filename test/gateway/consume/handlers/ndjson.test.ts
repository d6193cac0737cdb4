import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ndjson } from '../../../../gateway/consume/handlers/ndjson.ts'
import { systemClock } from '../../../../lib/clock.ts'

const anItem = (key: string) => ({ id: key, body: Buffer.from('{}'), group: '', key, receives: 1, sentAt: 0, attributes: {} })

async function write(path: string, ...keys: readonly string[]) {
  const deps = { clock: systemClock, directory: '/' } as Parameters<typeof ndjson.bind>[1]
  const { handle, stop } = await ndjson.bind({ path, sync: false }, deps)
  for (const key of keys) await handle(anItem(key))
  await stop?.()
}

test('a line that was cut short does not swallow the next record', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'weir-ndjson-')), 'out.ndjson')
  writeFileSync(path, '')
  await write(path, 'a')
  appendFileSync(path, '{"key":"torn","bo')
  await write(path, 'b', 'c')
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(4)
  expect([0, 2, 3].map((line) => JSON.parse(lines[line]!).key)).toEqual(['a', 'b', 'c'])
})
