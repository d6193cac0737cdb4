import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { rulesCommand } from '../../../gateway/cli/rules.ts'

interface Outcome {
  readonly lines: readonly string[]
  readonly code: number
  readonly error: string
}

async function weirRules(args: readonly string[], input: readonly string[] = []): Promise<Outcome> {
  const lines: string[] = []
  let error = ''
  const stdin = async function* () {
    yield* input
  }
  const quiet = (command: Command): void => {
    command.exitOverride().configureOutput({
      writeErr: (text) => {
        error += text
      },
      writeOut: (text) => lines.push(text),
    })
    command.commands.forEach(quiet)
  }
  const command = rulesCommand({ lines: stdin, print: (line) => lines.push(line) })
  quiet(command)
  try {
    await command.parseAsync([...args], { from: 'user' })
    return { lines, code: 0, error }
  } catch (thrown) {
    return { lines, code: (thrown as { exitCode: number }).exitCode, error }
  }
}

test('eval prints the output of one message', async () => {
  const sql = "SELECT temperature AS t FROM 'dt/#' WHERE temperature > 50"
  const args = (payload: string) => ['eval', '--sql', sql, '--topic', 'dt/a', '--payload', payload]
  expect((await weirRules(args('{"temperature":12345678901234567890}'))).lines).toEqual([
    '{"match":true,"output":{"t":12345678901234567890}}',
  ])
  expect((await weirRules(args('{"temperature":5}'))).lines).toEqual(['{"match":false}'])
  expect((await weirRules(['eval', '--sql', "SELECT * FROM '#'", '--payload', 'raw'])).lines).toEqual([
    '{"match":true,"outputBase64":"cmF3"}',
  ])
})

test.each(['a/#', '+/b', ''])('a message has a topic, and %j is none', async (topic) => {
  for (const args of [
    ['eval', '--sql', "SELECT * FROM 'a/b'"],
    ['explain', "SELECT * FROM 'a/b'", '--payload', '{}'],
  ]) {
    const { code, error } = await weirRules([...args, '--topic', topic])
    expect({ code, error }).toEqual({
      code: 2,
      error: `error: --topic is "${topic}"; expected the topic of one message, which has no wildcards\n`,
    })
  }
})

test('eval --jsonl answers each vector with one line', async () => {
  const { lines, code } = await weirRules(
    ['eval', '--jsonl'],
    [
      '{"id":"1","expr":"abs(v)","topic":"a","payload":{"v":"-7.5"}}',
      '{"id":"2","expr":"abs(v)","topic":"a","payload":{}}',
      '',
      '{"id":"3","sql":"SELECT","topic":"a","payload":{}}',
      '{"id":"4","sql":"SELECT VALUE v FROM \'a\'","topic":"a","payload":{}}',
      '{"id":"5","template":"x-${topic()}","topic":"a","payload":{}}',
      '{"id":"6","template":"x-${missing}","topic":"a","payload":{}}',
      '{"id":"7","sql":"SELECT topic() AS t FROM \'no/match\'","topic":"$aws/rules/one/a/b","ruleName":"one","payload":{}}',
      '{"id":"8","sql":"SELECT topic() AS t","topic":"$aws/rules/two/a","ruleName":"one","payload":{}}',
    ],
  )
  expect(code).toBe(0)
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { id: '1', match: true, output: { r: 7.5 } },
    { id: '2', match: true, output: {}, undefinedKeys: ['r'] },
    { id: '3', parseError: true, error: 'line 1, column 7: expected an expression, found the end of the statement' },
    { id: '4', match: true, outputEmpty: true },
    { id: '5', value: 'x-a' },
    { id: '6', error: 'the template ${missing} has no value for this message' },
    { id: '7', match: true, output: { t: 'a/b' } },
    { id: '8', match: false },
  ])
})

test('the digits of a vector survive', async () => {
  const { lines } = await weirRules(
    ['eval', '--jsonl'],
    [
      '{"id":"1","expr":"v + 1","topic":"a","payload":{"v":12345678901234567890}}',
      '{"id":"2","expr":"cast(v as String)","sqlVersion":"2015-10-08","topic":"a","payload":{"v":10.0}}',
    ],
  )
  expect(lines).toEqual(['{"id":"1","match":true,"output":{"r":12345678901234567891}}', '{"id":"2","match":true,"output":{"r":"10.0"}}'])
})

test.each([
  [['eval'], /give a statement with --sql/],
  [['eval', '--sql', 'SELCT *'], /line 1, column 1: expected SELECT, found "SELCT". Did you mean SELECT\?/],
  [['eval', '--sql', 'SELECT 1 AS a', '--sql-version', '3'], /--sql-version is one of/],
  [['explain', "SELECT uper(a) FROM 'a'"], /function uper does not exist. Did you mean upper\?/],
])('%j is one sentence and exit code 2', async (args, sentence) => {
  const { code, error } = await weirRules(args)
  expect(code).toBe(2)
  expect(error).toMatch(sentence)
  expect(error.trim().split('\n')).toHaveLength(1)
})

test('a vector with an unknown field ends eval --jsonl with exit code 2', async () => {
  const { code, error } = await weirRules(['eval', '--jsonl'], ['{"id":"x","expr":"1","topic":"a","payload":{},"flavour":1}'])
  expect(code).toBe(2)
  expect(error).toContain('flavour')
})

test('explain shows tokens, tree and what each part was worth', async () => {
  const { lines } = await weirRules(['explain', "SELECT upper(c) AS u FROM 'a/b' WHERE t > 50", '--payload', '{"c":"red","t":60}'])
  expect(lines.join('\n')).toMatch(/tokens .*word:upper/)
  expect(lines.join('\n')).toContain('t > 50  →  true  Boolean')
  expect(lines.join('\n')).toContain('output     {"u":"RED"}')
})
