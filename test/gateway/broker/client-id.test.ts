import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keptClientId } from '../../../gateway/broker/client-id.ts'
import { aDirectory } from '../../helpers/program.ts'

test('made once, and the same ever after', () => {
  const dir = join(aDirectory(), 'data')
  expect(keptClientId(dir, () => '01ABC')).toBe('weir-01abc')
  expect(keptClientId(dir, () => '01DEF')).toBe('weir-01abc')
  expect(readFileSync(join(dir, 'client-id'), 'utf8')).toBe('weir-01abc\n')
})

test('a data directory that cannot be is told with its name', () => {
  const file = join(aDirectory(), 'file')
  writeFileSync(file, '')
  expect(() => keptClientId(file, () => '01ABC')).toThrow(expect.objectContaining({ code: 'DATA_DIR_UNUSABLE' }))
})
