import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { policyFor } from '../../../device-sim/certs.ts'
import { type Estate, readEstate } from '../../../gateway/doctor/estate.ts'
import { checks, countsOf, examine } from '../../../gateway/doctor/index.ts'
import type { Deployed } from '../../../gateway/doctor/queues.ts'
import { ordinaryLoad } from '../../../gateway/plan/quotas.ts'
import { type Fault, faults, healthy } from './faults.ts'

const root = mkdtempSync(join(tmpdir(), 'weir-doctor-'))
afterAll(() => rmSync(root, { recursive: true }))

let estates = 0

async function examined({ files = {}, fleet, template, deployed }: Omit<Fault, 'id'>) {
  const dir = join(root, String(estates++))
  for (const [name, content] of Object.entries({ ...healthy, ...files })) {
    const path = join(dir, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content).replaceAll('{dir}', dir))
  }
  const estate = await readEstate({
    rules: join(dir, 'rules'),
    config: join(dir, 'config.json'),
    ...(fleet && { fleet: { ...ordinaryLoad, devices: 1, intervalMs: 60_000, ...fleet } }),
    ...(template && { template: join(dir, 'template.json') }),
  })
  const findings = examine(deployed ? { ...estate, deployed: deployedAs(estate, deployed) } : estate)
  rmSync(dir, { recursive: true })
  return { dir, findings }
}

/** Exactly what the files say, but for what is given. */
function deployedAs({ queues, topics, rules }: Estate, given: NonNullable<Fault['deployed']>): Deployed {
  const instead = <T>(name: string, value: T, others: Readonly<Record<string, object | null>> = {}) => {
    const other = others[name]
    return [name, other === null ? undefined : Array.isArray(other) ? other : other ? { ...value, ...other } : value] as const
  }
  return {
    where: 'AWS',
    queues: new Map(queues.map((queue) => instead(queue.name, { ...queue, file: 'AWS' }, given.queues))) as Deployed['queues'],
    topics: new Map(topics.map(({ name, queues }) => instead(name, queues, given.topics))) as Deployed['topics'],
    rules: new Map(rules.map(({ file }) => instead(file.name, file, given.rules))) as NonNullable<Deployed['rules']>,
  }
}

test('a healthy estate has nothing to find', async () => {
  expect((await examined({ fleet: {}, template: true, deployed: {} })).findings).toEqual([])
})

test.each(faults.map((fault, index) => ({ ...fault, name: `${index + 1} ${fault.id}` })))(
  'planted fault $name is found by exactly that',
  async (fault) => {
    const { findings } = await examined(fault)
    expect([...new Set(findings.map(({ id }) => id))]).toEqual([fault.id])
    for (const { text, fix, file } of findings) {
      expect(text).toMatch(/\S/)
      expect(fix).toMatch(/\S/)
      expect(file).toMatch(/\S/)
    }
  },
)

test('every check has a planted fault', () => {
  const planted = new Set(faults.map(({ id }) => id))
  expect([...checks.keys()].filter((id) => !planted.has(id))).toEqual([])
})

describe('where it is', () => {
  test('a mistake in a statement has its line and column', async () => {
    const sql = ['SELECT a,', '  uper(b) AS c', "FROM 'dt/+/telemetry'"]
    const { dir, findings } = await examined({
      files: { 'rules/telemetry.json': { ...(healthy['rules/telemetry.json'] as object), sql } },
    })
    expect(findings).toMatchObject([
      { id: 'sql-function-unknown', severity: 'error', file: join(dir, 'rules/telemetry.json'), field: 'sql', line: 2, column: 3 },
    ])
    expect(findings[0]!.text).toContain('Did you mean upper?')
    expect(findings[0]!.docs).toBe('docs/doctor.md#sql-function-unknown')
  })

  test('a topic level that is never there, too', async () => {
    const sql = ['SELECT a,', "  topic(7) AS c FROM 'dt/+/telemetry'"]
    const { findings } = await examined({
      files: { 'rules/telemetry.json': { ...(healthy['rules/telemetry.json'] as object), sql } },
    })
    expect(findings).toMatchObject([{ id: 'sql-topic-level', line: 2, column: 3 }])
  })

  test('a secret is named by its place and never shown', async () => {
    const { findings } = await examined({ files: { 'config.json': { dataDir: 'AKIAABCDEFGHIJKLMNOP' } } })
    expect(findings).toMatchObject([{ id: 'secret-in-file', field: 'dataDir' }])
    expect(JSON.stringify(findings)).not.toContain('AKIA')
  })
})

test('what one file has wrong does not hide what another has', async () => {
  const { findings } = await examined({
    files: {
      'rules/broken.json': '{',
      'rules/bad.json': { name: 'bad', sql: 'SELECT', actions: [] },
      'policies/bad.json': { Version: '2012-10-17', Statement: [] },
    },
  })
  expect(findings.map(({ id }) => id).sort()).toEqual(['not-json', 'policy-shape', 'sql-invalid'])
})

test('whatever a file holds, the answer is findings and never a crash', async () => {
  const names = Object.keys(healthy)
  const files = fc.dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 4 }), { minKeys: 1 })
  // Nearly right is harder than random: one place in a good file becomes anything.
  const nearly = fc
    .tuple(fc.constantFrom(...names), fc.nat(), fc.jsonValue({ maxDepth: 2 }))
    .map(([name, at, value]) => ({ [name]: replaced(healthy[name], at, value) }))
  await fc.assert(
    fc.asyncProperty(fc.oneof(files, nearly), async (files) => {
      const { findings } = await examined({ files, fleet: {}, template: true })
      expect(findings.every(({ text }) => text.length > 0)).toBe(true)
    }),
    { numRuns: 150 },
  )
})

/** The same with the nth value in it, counted through, replaced. */
function replaced(json: unknown, at: number, value: unknown): unknown {
  let left = at % JSON.stringify(json).split(':').length
  return JSON.parse(JSON.stringify(json), (_, inner) => (left-- === 0 ? value : inner))
}

test('the rules that come with the program have no errors', async () => {
  const findings = examine(await readEstate({}))
  expect(countsOf(findings).errors).toBe(0)
  expect(findings.map(({ id }) => id)).toEqual(expect.arrayContaining(['fifo-target', 'local-only']))
})

test.each(readdirSync('examples/gateway').filter((file) => file.endsWith('.json')))('examples/gateway/%s has no errors', async (file) => {
  const estate = await readEstate({ rules: 'infra/rules', config: join('examples/gateway', file) })
  expect(examine(estate).filter(({ severity }) => severity === 'error')).toEqual([])
})

test('the policy that `weir certs mint` writes has nothing to find', async () => {
  const policy = policyFor({ region: 'eu-west-1', account: '111122223333', product: 'coldchain' })
  expect((await examined({ files: { 'policies/device.json': policy } })).findings).toEqual([])
})
