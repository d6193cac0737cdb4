// What a person reads when something is wrong: one clear sentence with the path or the flag, exit code 2, never a stack.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { anyPorts, runWeir } from '../helpers/program.ts'

const root = mkdtempSync(join(tmpdir(), 'weir-test-'))
afterAll(() => rmSync(root, { recursive: true }))

const aDirectory = () => mkdtempSync(join(root, 'dir-'))

const aFile = (name: string, content: unknown) => {
  const path = join(aDirectory(), name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const rulesWith = (content: unknown) => {
  const dir = join(aDirectory(), 'rules')
  mkdirSync(dir)
  writeFileSync(join(dir, 'broken.json'), typeof content === 'string' ? content : JSON.stringify(content))
  return dir
}

const aRule = { name: 'r', awsIotSqlVersion: '2016-03-23', sql: "SELECT * FROM 'a/b'", actions: [{ sqs: { queueUrl: 'q' } }] }

const gateway = (...args: string[]) => runWeir(['gateway', ...anyPorts, '--data-dir', aDirectory(), ...args])

const up = (...args: string[]) => runWeir(['up', ...anyPorts, '--data-dir', aDirectory(), ...args])

const cases: readonly (readonly [string, () => Promise<{ code: number | null; stdout: string; stderr: string }>, RegExp])[] = [
  ['an unknown config key', () => gateway('--config', aFile('c.json', { lisen: {} })), /c\.json: .*lisen.*did you mean .?listen/],
  [
    'a config value of the wrong type',
    () => gateway('--config', aFile('c.json', { log: { level: 'loud' } })),
    /c\.json: log\.level is "loud"; expected one of debug/,
  ],
  ['a config that is not JSON', () => gateway('--config', aFile('c.json', '{ "host": ')), /c\.json: not JSON/],
  ['a config that is not there', () => gateway('--config', '/nowhere/c.json'), /\/nowhere\/c\.json: cannot be read \(ENOENT\)/],
  [
    'an environment variable that is not set',
    () => gateway('--config', aFile('c.json', { host: '${NO_SUCH_NAME}' })),
    /NO_SUCH_NAME is not set/,
  ],
  ['a rule file that is not JSON', () => gateway('--rules', rulesWith('{')), /broken\.json: not JSON/],
  [
    'a rule whose SQL does not parse',
    () => gateway('--rules', rulesWith({ ...aRule, sql: "SELECT * FORM 'a/b'" })),
    /broken\.json: sql: line 1, column 10: .*FROM/,
  ],
  [
    'an unknown SQL function',
    () => gateway('--rules', rulesWith({ ...aRule, sql: "SELECT uper(a) FROM 'a/b'" })),
    /broken\.json: sql: .*upper/,
  ],
  ['an unknown action', () => gateway('--rules', rulesWith({ ...aRule, actions: [{ sqss: {} }] })), /broken\.json: .*actions\[0\].*sqs/],
  ['an unknown field of an action', () => gateway('--rules', rulesWith({ ...aRule, actions: [{ sqs: { queueURL: 'q' } }] })), /queueUrl/],
  ['a rule name AWS would not take', () => gateway('--rules', rulesWith({ ...aRule, name: 'a-b' })), /broken\.json: name: /],
  ['a rules directory that is not there', () => gateway('--rules', '/nowhere'), /\/nowhere: the rules directory cannot be read/],
  ['a port that is none', () => gateway('--mqtt-port', '99999'), /--mqtt-port.*0 to 65535/],
  ['a TLS door without certificates', () => gateway('--mqtts-port', '0'), /listen\.mqtts: this door needs certificates/],
  ['certificates that are not there', () => gateway('--certs', '/nowhere'), /tls\.cert: \/nowhere\/server\.pem cannot be read/],
  ['an unknown flag', () => gateway('--mqt-port', '1'), /unknown option '--mqt-port'/],
  ['an unknown command', () => runWeir(['gatewya']), /unknown command 'gatewya'/],
  ['a plan without a fleet', () => runWeir(['plan', '--interval', '1m']), /required option '--devices <n>' not specified/],
  [
    'a plan for a Region without prices',
    () => runWeir(['plan', '--devices', '1', '--interval', '1m', '--region', 'mars']),
    /region "mars"/,
  ],
  ['a doctor without rules to look at', () => runWeir(['doctor', '--rules', '/nowhere']), /\/nowhere: cannot be read as a directory/],
  ['a fleet that is not there', () => up('--scenario', '/nowhere/fleet.json'), /\/nowhere\/fleet\.json: cannot be read \(ENOENT\)/],
  ['a fleet that is not JSON', () => up('--scenario', aFile('f.json', '{')), /f\.json: not JSON/],
  ['a misspelt field of a fleet', () => up('--scenario', aFile('f.json', { devcies: 3 })), /f\.json: devcies .*did you mean "devices"/],
  [
    'a data directory that is a file',
    () => runWeir(['up', '--data-dir', aFile('data', '')]),
    /data directory cannot be used: \S+\/data is not a directory/,
  ],
  [
    'a log that cannot be written',
    () => {
      const dir = aDirectory()
      mkdirSync(join(dir, 'weir.log'))
      return runWeir(['up', ...anyPorts, '--data-dir', dir])
    },
    /weir\.log cannot be written \(EISDIR\)/,
  ],
  [
    'a data directory below a file',
    () => gateway('--data-dir', join(aFile('data', ''), 'a')),
    /data directory cannot be used: \S+\/data is not a directory/,
  ],
  ['a data directory below /proc', () => gateway('--data-dir', '/proc/weir'), /the directory \/proc\/weir cannot be made/],
  [
    'certificates into a file',
    () => runWeir(['certs', 'mint', '--devices', '1', '--out', aFile('certs', '')]),
    /\/certs is not a directory/,
  ],
  ['a broker that is no URL', () => gateway('--broker', 'foo'), /broker\.url: a URL such as mqtts:\/\/broker\.example:8883/],
  [
    'a queue to verify at that is neither name nor URL',
    () => runWeir(['fleet', '--verify', 'queue', '--queue-url', 'not a queue']),
    /--queue-url is "not a queue"; expected/,
  ],
  ['a config that is not an object', () => gateway('--config', aFile('c.json', 33.291)), /c\.json: it is 33\.291; expected object/],
  ['a fleet that is not an object', () => up('--scenario', aFile('f.json', [])), /f\.json: it is \[\]; expected object/],
  ['certificates for no day', () => runWeir(['certs', 'mint', '--out', aDirectory(), '--days', '0']), /--days is "0"; expected .* from 1/],
  ['usage that is a directory', () => runWeir(['cost', 'price', aDirectory()]), /cannot be read \(EISDIR\)/],
  ['a log that is a directory', () => runWeir(['logs', aDirectory()]), /is a directory; name a file/],
  ['a log that is not there', () => runWeir(['logs', '/nowhere/weir.log']), /\/nowhere\/weir\.log/],
]

describe.concurrent.each(cases)('%s', (_, run, sentence) => {
  test('is told in one sentence, with exit code 2', async ({ expect }) => {
    const { code, stdout, stderr } = await run()
    expect(stderr).toMatch(sentence)
    expect(stderr).not.toMatch(/\n\s+at |node:internal/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

test.each([
  ['gateway', '--mqtt-port'],
  ['gateway', '--admin-port'],
  ['gateway', '--aws-port'],
  ['up', '--mqtt-port'],
])('weir %s names the port that is taken and %s', async (command, flag) => {
  const server = createServer()
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  )
  const { code, stderr } = await runWeir([command, ...anyPorts, flag, String(port), '--data-dir', aDirectory()])
  server.close()
  expect(stderr).toBe(
    `weir: port ${port} is in use: choose another with ${flag} (0 = any free${flag === '--aws-port' ? '' : ', off = none'})\n`,
  )
  expect(code).toBe(2)
})

test('several problems are told together', async () => {
  const { stderr } = await gateway('--config', aFile('c.json', { hots: 'x', rules: { dri: 'y' } }))
  expect(stderr).toContain('hots')
  expect(stderr).toContain('rules.dri')
})
