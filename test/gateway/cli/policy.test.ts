import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { policyCommand } from '../../../gateway/cli/policy.ts'
import { evaluateVector, parseVector } from '../../../gateway/cli/policy-vectors.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-policy-'))
afterAll(() => rmSync(folder, { recursive: true }))

const file = join(folder, 'device.json')
writeFileSync(
  file,
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'iot:Connect',
        Resource: 'arn:aws:iot:eu-west-1:111122223333:client/${iot:Connection.Thing.ThingName}',
        Condition: { 'ForAllValues:StringEquals': { 'iot:ConnectAttributes': ['LastWill'] } },
      },
      {
        Sid: 'telemetry',
        Effect: 'Allow',
        Action: ['iot:Publish', 'iot:RetainPublish'],
        Resource: 'arn:aws:iot:eu-west-1:111122223333:topic/dt/${iot:Connection.Thing.Attributes[site]}/*',
      },
    ],
  }),
)

let output = ''
beforeEach(() => {
  output = ''
  process.exitCode = undefined
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text
    return true
  })
  return () => {
    vi.restoreAllMocks()
    process.exitCode = undefined
  }
})

const check = (...flags: string[]) => policyCommand().parseAsync(['check', file, '--client-id', 'f1', ...flags], { from: 'user' })
const thing = ['--thing', 'f1', '--attribute', 'site=truck-7', 'x=y']

describe('check', () => {
  test('prints each decision and the statement that made it', async () => {
    await check(...thing, '--connect', '--publish', 'dt/truck-7/t')
    expect(output).toContain(`allow         iot:Connect        client/f1  (Statement[0] of ${file})`)
    expect(output).toContain(`allow         iot:Publish        topic/dt/truck-7/t  (Statement[1] "telemetry" of ${file})`)
    expect(process.exitCode).toBeUndefined()
  })

  test('ends with 1 when anything is denied', async () => {
    await check(...thing, '--publish', 'dt/truck-7/t', 'dt/truck-8/t')
    expect(output).toContain('topic/dt/truck-8/t  (no statement allows it)')
    expect(process.exitCode).toBe(1)
  })

  test('a retained publish needs both rights, a will its topic', async () => {
    await check(...thing, '--retain', 'dt/truck-7/state', '--will', 'dt/truck-7/gone', '--json')
    const { allowed, decisions } = JSON.parse(output)
    expect(allowed).toBe(true)
    expect(decisions.map(({ action, resource }: { action: string; resource: string }) => [action, resource.split(':')[5]])).toEqual([
      ['iot:Connect', 'client/f1'],
      ['iot:Publish', 'topic/dt/truck-7/gone'],
      ['iot:Publish', 'topic/dt/truck-7/state'],
      ['iot:RetainPublish', 'topic/dt/truck-7/state'],
    ])
    expect(decisions[1].by).toEqual({ file, policy: 0, statement: 1, sid: 'telemetry' })
  })

  test('a persistent session is a matter of its own', async () => {
    await check(...thing, '--persistent', '--json')
    expect(JSON.parse(output).allowed).toBe(false)
  })

  test('asks in the account of the policy unless told otherwise', async () => {
    await check(...thing, '--connect', '--account', '999999999999', '--json')
    expect(JSON.parse(output).decisions[0]).toMatchObject({
      resource: 'arn:aws:iot:eu-west-1:999999999999:client/f1',
      decision: 'implicitDeny',
    })
  })

  test('says which variables have no value', async () => {
    const notes = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    await check('--thing', 'f1', '--connect', '--json')
    expect(JSON.parse(output).unresolved).toEqual(['iot:Connection.Thing.Attributes[site]'])
    expect(notes.mock.calls.flat().join('')).toContain('note: ${iot:Connection.Thing.Attributes[site]} has no value')
  })

  test('an address that is none is not compared with anything', async () => {
    const command = policyCommand()
    for (const inner of command.commands) inner.exitOverride().configureOutput({ writeErr() {} })
    const args = ['check', file, '--client-id', 'f1', '--connect', '--source-ip', '999.1.1.1']
    await expect(command.parseAsync(args, { from: 'user' })).rejects.toThrow('an IPv4 or IPv6 address is needed')
  })

  test('wants to know what to check, and a file that is there', async () => {
    await expect(check()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('say what to check') })
    const missing = policyCommand().parseAsync(['check', '/no/such', '--client-id', 'c', '--connect'], { from: 'user' })
    await expect(missing).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: '/no/such cannot be read' })
  })
})

describe('eval', () => {
  const vector = { id: 'a', policies: [], action: 'iot:Publish', resource: '*' }

  test.each<[what: string, line: string, says: string]>([
    ['no JSON', '{', 'line 3: not JSON'],
    ['an unknown field', JSON.stringify({ ...vector, extra: 1 }), 'line 3: extra is not a known field'],
    [
      'an unknown fact',
      JSON.stringify({ ...vector, context: { clientid: 'a' } }),
      'line 3: context.clientid is not a known field; did you mean "clientId"?',
    ],
    ['a missing field', JSON.stringify({ ...vector, id: undefined }), 'line 3: id is missing'],
  ])('%s is an error that names the line', (_what, line, says) => {
    expect(() => parseVector(line, 3)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(says) }))
  })

  test('so is a policy that is none', () => {
    const parsed = parseVector(JSON.stringify({ ...vector, policies: [{ Version: '2012-10-17' }] }), 1)
    expect(() => evaluateVector(parsed, 'line 1')).toThrow('line 1: policies[0]: Statement')
  })

  test('no policy, no right', () => {
    expect(evaluateVector(parseVector(JSON.stringify(vector), 1), 'line 1')).toEqual({ decision: 'implicitDeny' })
  })

  test('one line in, one line out', () => {
    const program = `import { policyCommand } from './gateway/cli/policy.ts'\nawait policyCommand().parseAsync(['eval', '--jsonl'], { from: 'user' })`
    const input = `${JSON.stringify(vector)}\n\n${JSON.stringify({ ...vector, id: 'b' })}`
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { input, encoding: 'utf8' })
    expect(stdout).toBe('{"id":"a","decision":"implicitDeny"}\n{"id":"b","decision":"implicitDeny"}\n')
    expect(status).toBe(0)
  })
})
