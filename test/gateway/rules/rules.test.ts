import { mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fromPromise, type Sink } from '../../../gateway/actions/action.ts'
import type { Bind, LoadedRule } from '../../../gateway/rules/load.ts'
import { createRules, type Rules } from '../../../gateway/rules/rules.ts'
import { systemClock } from '../../../lib/clock.ts'
import { toOutlet } from '../../helpers/delivery.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let dir: string
let observe: SpyObserve
let stopping: AbortController
let stopped: string[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'weir-rules-'))
  observe = createSpyObserve()
  stopping = new AbortController()
  stopped = []
})

afterEach(() => {
  stopping.abort()
  rmSync(dir, { recursive: true })
})

const write = (name: string, sql: string, more: object = {}) =>
  writeFileSync(join(dir, `${name}.json`), JSON.stringify({ name, awsIotSqlVersion: '2016-03-23', sql, actions: [{ log: {} }], ...more }))

const start = (): Promise<Rules> => {
  const sinkOf = ({ file }: LoadedRule): Sink => ({
    action: 'log',
    deliver: fromPromise(async () => {}),
    stop: async () => void stopped.push(file.name),
  })
  const bind: Bind = {
    action: (_, rule) => toOutlet(sinkOf(rule), rule.file.name),
    errorAction: (_, rule) => sinkOf(rule),
  }
  return createRules(dir, { bind, observe, clock: systemClock, signal: stopping.signal })
}

const names = (rules: Rules) => rules.current().rules.map(({ name }) => name)

test('rules are found by topic and by name; a disabled one is checked and not run', async () => {
  write('cold', "SELECT * FROM 'dt/+/telemetry'")
  write('off', "SELECT * FROM 'dt/#'", { ruleDisabled: true })
  const rules = await start()
  expect(names(rules)).toEqual(['cold'])
  expect(rules.current().match('dt/a/telemetry')).toHaveLength(1)
  expect(rules.current().match('dt/a/b/telemetry')).toHaveLength(0)
  expect(rules.current().named('cold')?.filter).toBe('dt/+/telemetry')
})

test('a changed directory becomes a whole new set, and the old sinks finish', async () => {
  write('a', "SELECT * FROM 'a'")
  const rules = await start()
  write('b', "SELECT * FROM 'b'")
  write('c', "SELECT * FROM 'c'")
  await observe.next('rule.loaded', ({ count }) => count === 3)
  expect(names(rules)).toEqual(['a', 'b', 'c'])
  await expect.poll(() => stopped).toContain('a')
  unlinkSync(join(dir, 'a.json'))
  await observe.next('rule.loaded', ({ count }) => count === 2)
  expect(names(rules)).toEqual(['b', 'c'])
})

test('a broken file leaves the old set running and says why; mending it takes effect', async () => {
  write('a', "SELECT * FROM 'a'")
  const rules = await start()
  write('a', "SELECT * FORM 'a'")
  const { detail } = await observe.next('rule.rejected')
  expect(detail).toMatch(/a\.json: sql: line 1, column 10/)
  expect(names(rules)).toEqual(['a'])
  write('a', "SELECT * FROM 'changed'")
  await observe.next('rule.loaded', () => rules.current().rules[0]?.filter === 'changed')
  expect(rules.current().rules[0]?.filter).toBe('changed')
})

test('everything wrong with a directory is told at once', async () => {
  write('a', "SELECT * FORM 'a'")
  write('b', "SELECT * FROM 'b'", { actionz: [] })
  writeFileSync(join(dir, 'c.json'), '{')
  await expect(start()).rejects.toMatchObject({
    code: 'RULE_INVALID',
    message: expect.stringMatching(/a\.json: sql: [\s\S]*b\.json: actionz[\s\S]*c\.json: not JSON/),
  })
})

test('two files may not hold one name', async () => {
  write('a', "SELECT * FROM 'a'")
  writeFileSync(join(dir, 'z.json'), JSON.stringify({ name: 'a', sql: "SELECT * FROM 'a'", actions: [] }))
  await expect(start()).rejects.toThrow(/z\.json: name: a is taken by .*a\.json/)
})

test('a missing directory leaves the old set running with degraded health, until it is back', async () => {
  write('a', "SELECT * FROM 'a'")
  const rules = await start()
  renameSync(dir, `${dir}.gone`)
  expect(await observe.next('gateway.degraded')).toMatchObject({
    code: 'RULE_INVALID',
    target: dir,
    detail: expect.stringContaining('ENOENT'),
  })
  expect(names(rules)).toEqual(['a'])
  renameSync(`${dir}.gone`, dir)
  write('b', "SELECT * FROM 'b'")
  await observe.next('rule.loaded', ({ count }) => count === 2)
  await observe.next('gateway.recovered')
})
