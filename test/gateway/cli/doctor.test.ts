import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { doctorCommand } from '../../../gateway/cli/doctor.ts'
import { findingsText } from '../../../gateway/doctor/report.ts'
import { expectGolden } from '../../helpers/golden.ts'

const dir = mkdtempSync(join(tmpdir(), 'weir-doctor-cli-'))
afterAll(() => rmSync(dir, { recursive: true }))

const rules = join(dir, 'rules')
mkdirSync(rules)
const write = (name: string, rule: object) => writeFileSync(join(rules, name), JSON.stringify(rule))
write('good.json', {
  name: 'good',
  awsIotSqlVersion: '2016-03-23',
  sql: "SELECT a FROM 'dt/+'",
  actions: [{ sqs: { queueUrl: 'q' } }],
  errorAction: { sqs: { queueUrl: 'q' } },
})
write('bad.json', {
  name: 'bad',
  sql: ['SELECT a,', '  topc(2) AS b', "FROM 'dt/+'"],
  actions: [{ sqs: { queueUrl: 'q' } }],
})
write('worse.json', {
  name: 'worse',
  awsIotSqlVersion: '2016-03-23',
  sql: "SELECT a FROM '#'",
  actions: [{ sqs: { queueUrl: 'missing' } }, { log: {} }],
})
writeFileSync(join(dir, 'resources.json'), JSON.stringify({ queues: { q: {} } }))

let stdout = ''
beforeEach(() => {
  stdout = ''
  process.exitCode = undefined
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

async function run(...args: readonly string[]): Promise<number> {
  await doctorCommand()
    .exitOverride()
    .parseAsync([...args], { from: 'user' })
  return Number(process.exitCode ?? 0)
}

test('errors end with 1, file by file, worst first, with a line that sums up', async () => {
  expect(await run('--rules', rules)).toBe(1)
  await expectGolden('doctor/errors.txt', stdout.replaceAll(dir, 'DIR'))
})

test('--json is one document with the same findings', async () => {
  expect(await run('--rules', rules, '--json')).toBe(1)
  const { ok, errors, warnings, notes, findings } = JSON.parse(stdout)
  expect({ ok, errors, warnings, notes }).toEqual({ ok: false, errors: 3, warnings: 1, notes: 1 })
  expect(findings[0]).toEqual({
    id: 'sql-function-unknown',
    severity: 'error',
    file: join(rules, 'bad.json'),
    field: 'sql',
    line: 2,
    column: 3,
    text: 'function topc does not exist. Did you mean topic?',
    fix: 'use a function of docs/sql.md',
    docs: 'docs/doctor.md#sql-function-unknown',
  })
})

test('the rules that come with weir end with 0', async () => {
  expect(await run()).toBe(0)
  expect(stdout).toMatch(/^no errors, \d+ warnings?, \d+ notes? in \d+ rules, .*docs\/doctor\.md\.$/m)
})

test('warnings alone end with 0', async () => {
  expect(await run('--devices', '450000', '--interval', '5m')).toBe(0)
  expect(stdout).toContain('fleet-headroom')
})

test('a fleet that does not fit ends with 1', async () => {
  expect(await run('--devices', '80000', '--interval', '3s')).toBe(1)
  expect(stdout).toContain('publishes of all devices: 26,666.7 of 20,000 1/s')
})

describe('bad input is one sentence', () => {
  test.each([
    [['--rules', join(dir, 'none')], /none: cannot be read as a directory \(ENOENT\)$/],
    [['--config', join(dir, 'none.json')], /none\.json: cannot be read \(ENOENT\)$/],
    [['--policies', join(dir, 'none')], /cannot be read as a directory/],
    [['--resources', join(dir, 'none.json')], /cannot be read/],
    [['--template', join(dir, 'none.json')], /cannot be read/],
    [['--devices', 'many'], /a whole number above zero is needed/],
    [['--region-size', 'tiny'], /Allowed choices are large, small/],
  ])('%j', async (args, sentence) => {
    await expect(run(...args)).rejects.toThrow(sentence)
  })
})

test('colours only where asked for', () => {
  const finding = { id: 'x', severity: 'error', file: 'f', text: 't', fix: 'f', docs: 'd' } as const
  const looked = { findings: [finding], looked: '1 rule' }
  expect(findingsText(looked, false)).not.toContain('\u001b')
  expect(findingsText(looked, true)).toContain('\u001b[31m')
})
