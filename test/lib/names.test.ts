import { expect, test } from 'vitest'
import { createNames, others } from '../../lib/names.ts'
import { createManualClock } from '../helpers/manual-clock.ts'

function setUp(known: readonly string[] = []) {
  const clock = createManualClock()
  return { clock, names: createNames({ most: 3, idleMs: 60_000, isKnown: (name) => known.includes(name), now: clock.now }) }
}

test('gives the first names an account of their own, and one to all further names', () => {
  const { names } = setUp()
  const invented = Array.from({ length: 100_000 }, (_, i) => names.accountOf(`n${i}`))
  expect(new Set(invented)).toEqual(new Set(['n0', 'n1', 'n2', others]))
  expect(names.accountOf('n1')).toBe('n1')
})

test('gives a known name an account of its own, however many names came before', () => {
  const { names } = setUp(['acme'])
  for (let i = 0; i < 100; i++) names.accountOf(`n${i}`)
  expect(names.accountOf('acme')).toBe('acme')
  expect(names.accountOf('n2')).toBe('n2')
})

test('forgets a name that is idle, and no name that is in use', async () => {
  const { clock, names } = setUp()
  for (const name of ['a', 'b', 'c']) names.accountOf(name)
  await clock.advance(50_000)
  names.accountOf('b')
  expect(names.accountOf('d')).toBe(others)
  await clock.advance(20_000)
  expect(['d', 'b', 'e', 'f'].map((name) => names.accountOf(name))).toEqual(['d', 'b', 'e', others])
})

test('a name longer than 128 characters has no account of its own', () => {
  const { names } = setUp()
  expect(names.accountOf('n'.repeat(129))).toBe(others)
  expect(names.accountOf('n'.repeat(128))).toBe('n'.repeat(128))
})
