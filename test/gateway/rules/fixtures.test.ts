import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runFixtures } from '../../../gateway/rules/fixtures.ts'

const aCase = (name: string, rule: unknown, input: unknown, output: unknown) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-cases-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  cpSync(resolve('test/cases/rules/telemetry'), join(dir, name), { recursive: true })
  for (const [file, content] of [
    ['rule.json', rule],
    ['in/reading.json', input],
    ['out/reading.json', output],
  ] as const) {
    if (content !== undefined) writeFileSync(join(dir, name, file), JSON.stringify(content))
  }
  for (const file of ['basic-ingest', 'other-stream']) for (const side of ['in', 'out']) rmSync(join(dir, name, side, `${file}.json`))
  return dir
}

const rule = JSON.parse(readFileSync('infra/rules/telemetry.json', 'utf8'))
const input = JSON.parse(readFileSync('test/cases/rules/telemetry/in/reading.json', 'utf8'))

test('every case of the rules that come with the gateway holds', async () => {
  const results = await runFixtures('test/cases/rules')
  expect(results.filter(({ passed }) => !passed)).toEqual([])
  expect(results.length).toBeGreaterThanOrEqual(7)
})

test.each([
  ['another output', { output: { temperature: 1 } }],
  ['a match where none is expected', { match: false }],
  ['another target', { actions: [{ sqs: { queueUrl: 'elsewhere' } }] }],
  ['a template filled differently', { actions: [{ sqs: { groupId: 'borealis' } }] }],
  ['one action too few', { actions: [] }],
  ['one action too many', { actions: [{ sqs: {} }, { sqs: {} }] }],
  ['other bytes', { outputBase64: 'AAAA' }],
])('%s fails', async (_, expected) => {
  const [result] = await runFixtures(aCase('case', rule, input, expected))
  expect(result).toMatchObject({ name: 'case/reading', passed: false })
})

test.each([
  ['of the actions only what is named counts', { actions: [{ sqs: { groupId: 'acme' } }] }],
  ['a bare match', { match: true }],
])('%s', async (_, expected) => {
  const [result] = await runFixtures(aCase('case', rule, input, expected))
  expect(result).toMatchObject({ passed: true })
})

test.each([
  [
    'a message with a typo',
    rule,
    { topc: 'a', payload: {} },
    undefined,
    /in\/reading\.json: topc is not a known field; did you mean "topic"\?/,
  ],
  ['a message with two payloads', rule, { topic: 'a', payload: {}, payloadText: '' }, undefined, /exactly one of payload/],
  ['an expectation with a typo', rule, input, { outptu: {} }, /out\/reading\.json: .*outptu/],
  ['a rule that does not parse', { ...rule, sql: 'SELECT' }, input, undefined, /rule\.json: sql: /],
])('%s is told with its file', async (_, aRule, message, expected, sentence) => {
  await expect(runFixtures(aCase('case', aRule, message, expected))).rejects.toThrow(sentence)
})
