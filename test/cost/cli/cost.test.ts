// What `weir cost` prints, where, and with which exit code.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { costCommand } from '../../../cost/cli/cost.ts'
import { runFile } from '../../helpers/cost-run.ts'

// A whole report is seconds of work, more where the machine is shared.
vi.setConfig({ testTimeout: 90_000 })

let stdout = ''
let stderr = ''

beforeEach(() => {
  ;[stdout, stderr] = ['', '']
  process.exitCode = undefined
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
})

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

/** The exit code; wrong usage throws inside commander, as in the program. */
async function run(...args: readonly string[]): Promise<number> {
  const command = costCommand()
  for (const each of [command, ...command.commands]) each.exitOverride()
  await command.parseAsync(args, { from: 'user' })
  return Number(process.exitCode ?? 0)
}

describe('--json is one document', () => {
  test.each([
    [
      ['estimate', '--devices', '10'],
      ['workload', 'region', 'pricesAsOf', 'paths', 'unpriced'],
    ],
    [
      ['sweep', '--over', 'devices', '--values', '10,20'],
      ['over', 'values', 'paths'],
    ],
    [
      ['crossover', 'iot-mqtt', 'iot-https'],
      ['axis', 'paths', 'ranges', 'turns'],
    ],
    [
      ['compare', '--from', runFile],
      ['columns', 'at', 'tls'],
    ],
    [['prices'], ['region', 'asOf', 'sources', 'prices']],
  ])('%j', async (args, keys) => {
    expect(await run(...args, '--json')).toBe(0)
    const document = JSON.parse(stdout)
    for (const key of keys) expect(document).toHaveProperty(key)
  })
})

test('estimate takes every flag of the workload', async () => {
  const topic = 'dt/coldchain/møller/truck-7/f-1/telemetry'
  const flags = ['--interval', '5m', '--payload', '120', '--topic', topic, '--qos', '0', '--pack', '2', '--no-rule', '--queue', 'none']
  await run('estimate', ...flags, '--no-data-out', '--protocol', 'mqtt', '--json')
  const { workload, paths } = JSON.parse(stdout)
  const expected = {
    intervalMs: 300_000,
    payloadBytes: 120,
    topicBytes: 42,
    qos: 0,
    readingsPerMessage: 2,
    rule: false,
    queue: 'none',
    dataOut: false,
  }
  expect(workload).toMatchObject(expected)
  expect(paths.map(({ path }: { path: string }) => path)).toContain('iot-mqtt-reconnect')
  expect(paths.map(({ path }: { path: string }) => path)).not.toContain('iot-https')
})

test('--free-tier subtracts the allowances', async () => {
  await run('estimate', '--devices', '10', '--path', 'iot-https', '--queue', 'none', '--free-tier', '--json')
  expect(JSON.parse(stdout).paths[0].totalUsd).toBeCloseTo(((432_000 - 250_000) * 2 * 0.15) / 1e6)
})

describe('one sentence and exit code 2 for', () => {
  test.each([
    [['estimate', '--devices', '-5'], '--devices cannot be -5: expected more than 0\n'],
    [['estimate', '--topic', ''], '--topic is empty; expected a topic\n'],
    [['estimate', '--devices', 'many'], '--devices is "many"; expected a number\n'],
    [['estimate', '--interval', '0'], '--interval is "0"; expected a duration such as 10s, 5m or 1h\n'],
    [['estimate', '--interval', '0s'], '--interval cannot be 0: expected more than 0\n'],
    [['estimate', '--region', 'us-east-9'], 'region "us-east-9" has no price book; did you mean "us-east-1"?\n'],
    [['estimate', '--path', 'iot-mqt'], '"iot-mqt" is not a path; did you mean "iot-mqtt"?\n'],
    [['estimate', '--qos', '2'], '--qos cannot be 2: expected 0 or 1\n'],
    [['estimate', '--instance', 'c7g.huge'], '"ec2.c7g.huge" is not a priced item; did you mean "ec2.c7g.large"?\n'],
    [['crossover', 'iot-mqtt', 'iot-https', '--from', '1h', '--to', '1m'], '--from must be less than --to, not 3600000 and 60000\n'],
    [['sweep', '--over', 'interval', '--values', '5'], '"5" is not a value for interval; expected a duration such as 10s\n'],
    [['questions', '11'], '"11" is not a question; there are 10\n'],
    [['price', '/nowhere/usage.jsonl'], '/nowhere/usage.jsonl cannot be read (ENOENT)\n'],
    [['report', '--html', '/nowhere/report.html'], '/nowhere/report.html cannot be written (ENOENT)\n'],
    [['report', '--from', '/nowhere/run.json'], '/nowhere/run.json: cannot be read (ENOENT)\n'],
    [['report', '--from', 'package.json'], 'package.json is not a run that weir cost run --out wrote\n'],
    [['compare', '--from', 'README.md'], expect.stringContaining('README.md: not JSON: ')],
    [['estimate', '--messages-per-call', '11'], '--messages-per-call cannot be 11: SQS takes and gives ten at most\n'],
    [['run', '--devices', '-5'], '--devices cannot be -5: expected a whole number from 1 to 2,000\n'],
    [['run', '--devices', '1e9'], '--devices cannot be 1e9: expected a whole number from 1 to 2,000\n'],
    [['run', '--interval', '0s'], '--interval cannot be 0s: expected 50ms to 60m\n'],
    [['run', '--duration', 'long'], '--duration is "long"; expected a duration such as 500ms, 10s or 5m\n'],
    [['run', '--payload', '20'], '--payload cannot be 20: a simulated reading has 96 to 120096 bytes\n'],
    [['run', '--qos', '2'], '--qos cannot be 2: expected a whole number from 0 to 1\n'],
    [['run', '--seed', 'x'], '--seed cannot be x: expected a whole number from 0 to 9,007,199,254,740,991\n'],
    [['run', '--transports', 'mqqt'], '"mqqt" is not a transport; did you mean "mqtt"?\n'],
    [['run', '--scenario', '/nowhere/fleet.json'], '/nowhere/fleet.json: cannot be read (ENOENT)\n'],
    [['run', '--out', '/nowhere/run.json'], '/nowhere/run.json cannot be written (ENOENT)\n'],
    [
      ['run', '--scenario', 'examples/fleet/cold-chain.json', '--payload', '300'],
      '--payload and --scenario exclude each other: the scenario says what devices send\n',
    ],
  ])('%j', async (args, sentence) => {
    expect(await run(...args)).toBe(2)
    expect([stdout, stderr]).toEqual(['', sentence])
  })
})

describe('exit code 1 for', () => {
  test.each([
    [['estimate', '--path', 'hivemq-cloud'], /^us-east-1 has no price for hivemqCloud.messages/],
    [['estimate', '--path', 'api-websocket-sqs', '--region', 'eu-west-1'], /^eu-west-1 has no price for apiGateway.webSocketMessages/],
    [['estimate', '--path', 'iot-mqtt', '--queue', 'fifo'], /cannot send to a fifo queue$/m],
    [['crossover', 'iot-mqtt', 'hivemq-cloud'], /^us-east-1 has no price/],
  ])('%j', async (args, sentence) => {
    expect(await run(...args)).toBe(1)
    expect(stderr).toMatch(sentence)
  })
})

test('wrong usage is left to commander', async () => {
  await expect(run('estimate', '--devics', '3')).rejects.toThrow("unknown option '--devics'")
  await expect(run('sweep')).rejects.toThrow("required option '--over <axis>' not specified")
  const both = ['--protocol', 'mqtt', '--path', 'iot-https']
  await expect(run('estimate', ...both)).rejects.toThrow("'--path <name>' cannot be used with option '--protocol <name>'")
  await expect(run('estimat')).rejects.toThrow('too many arguments')
})

describe('files', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-cost-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('report writes what it is asked for and says where', async () => {
    const [html, md] = [join(folder, 'r.html'), join(folder, 'r.md')]
    expect(await run('report', '--html', html, '--md', md)).toBe(0)
    expect([stdout, stderr]).toEqual(['', `${html}\n${md}\n`])
    expect(await readFile(html, 'utf8')).toMatch(/^<!doctype html>/)
    expect(await readFile(md, 'utf8')).toMatch(/^# What the fleet costs a month/)
  })

  test('report --from prices any fleet with the bytes of the run, its message sizes where no flag says otherwise', async () => {
    await run('report', '--from', runFile, '--devices', '7', '--json')
    const { workload, basis, paths, run: kept } = JSON.parse(stdout)
    expect(workload).toMatchObject({ devices: 7, payloadBytes: 200, topicBytes: 43 })
    expect([basis, kept.kind]).toEqual(['measured', 'weir cost run'])
    expect(new Set(paths.map(({ wire }: { wire: { basis: string } }) => wire.basis))).toEqual(new Set(['measured']))
  })

  test('price prices every line it can, and keeps the worst exit code', async () => {
    const file = join(folder, 'usage.jsonl')
    const lines = [
      '{"id":"a","inputs":{"messagesPerMonth":1000000}}',
      '',
      '{"id":"b","inputs":{"region":"eu-west-1","apiType":"websocket","messagesPerMonth":1}}',
      '{"id":"c","inputs":{"messagesPerMonht":1}}',
      'not JSON',
    ]
    await writeFile(file, lines.join('\n'))
    expect(await run('price', '--jsonl', file)).toBe(2)
    const [a, b, c, d] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(a).toEqual({ id: 'a', quantities: { 'iotCore.messages': 1e6 }, lineItems: { 'iotCore.messages': 1 }, totalUsd: 1 })
    expect(b).toMatchObject({ id: 'b', error: expect.stringContaining('eu-west-1 has no price') })
    expect(c).toEqual({ id: 'c', error: 'inputs: messagesPerMonht is not a known field; did you mean "messagesPerMonth"?' })
    expect(d).toEqual({ error: 'the line is not JSON' })
    expect(stderr).toContain('line 4: inputs: messagesPerMonht is not a known field')
  })
})

test('prices prints every item with its source', async () => {
  await run('prices', '--region', 'eu-west-1')
  expect(stdout).toMatch(/apiGateway\.webSocketMessages +unknown \(1,000,000,000\), unknown/)
  expect(stdout).toContain('S11  a stored AWS price-list snapshot of eu-west-1 (2026-10-02)')
})
