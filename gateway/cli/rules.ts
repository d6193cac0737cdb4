// weir rules: try, test and take apart rules without a gateway.
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import { printableText } from '../../lib/printable.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import { type SqlVersion, sqlVersions } from '../rules/sql/ast.ts'
import { explain } from '../rules/sql/explain.ts'
import { testCommand } from './rules-test.ts'
import { answerVector, parseVector, type Vector } from './vectors.ts'

export interface RulesIo {
  readonly lines: () => AsyncIterable<string>
  readonly print: (line: string) => void
}

const standard: RulesIo = {
  lines: () => createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY }),
  print: (line) => process.stdout.write(`${printableText(line)}\n`),
}

export function rulesCommand(io: RulesIo = standard): Command {
  return new Command('rules')
    .description('Try, test and take apart rules in AWS IoT SQL.')
    .addCommand(evalCommand(io))
    .addCommand(explainCommand(io))
    .addCommand(testCommand(io.print))
    .addHelpText(
      'after',
      `
Examples:
  $ weir rules eval --sql "SELECT temperature FROM 'dt/#' WHERE temperature > 50" --topic dt/a --payload '{"temperature": 60}'
  $ weir rules explain "SELECT upper(color) AS c FROM 'a/b' WHERE t > 50"
  $ weir rules test my-rules`,
    )
}

interface MessageOptions {
  readonly sql?: string
  readonly topic: string
  readonly payload: string
  readonly clientId: string
  readonly sqlVersion: string
}

function evalCommand({ lines, print }: RulesIo): Command {
  return withMessage(new Command('eval'))
    .description('Evaluate one statement on one message, or a vector per line of stdin.')
    .option('--sql <statement>', 'the statement')
    .option('--jsonl', 'read vectors from stdin, one JSON object per line, and print one answer per line')
    .option('--json', 'print JSON, which is what it always does')
    .addHelpText(
      'after',
      `
Examples:
  weir rules eval --sql "SELECT temperature FROM 'dt/#' WHERE temperature > 50" --topic dt/a --payload '{"temperature": 60}'
  weir rules eval --jsonl < vectors.jsonl`,
    )
    .action(async (options: MessageOptions & { readonly jsonl?: true }, command: Command) => {
      await orRefuse(command, async () => {
        if (!options.jsonl) return print(answerOne(options))
        for await (const line of lines()) if (line.trim() !== '') print(answerVector(parseVector(line)))
      })
    })
}

function explainCommand({ print }: RulesIo): Command {
  return withMessage(new Command('explain'))
    .description('Show a statement as tokens and as a tree and, with --payload, what each part of it was worth.')
    .argument('<sql>', 'the statement')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Examples:
  weir rules explain "SELECT upper(color) AS c FROM 'a/b' WHERE t > 50"
  weir rules explain "SELECT color FROM 'a/b' WHERE t > 50" --topic a/b --payload '{"color":"red","t":60}'`,
    )
    .action(async (sql: string, options: MessageOptions & { readonly json?: true }, command: Command) => {
      await orRefuse(command, async () => {
        const given = command.getOptionValueSource('payload') === 'cli'
        const message = { topic: topicOf(options), payload: Buffer.from(options.payload), clientId: options.clientId }
        const explanation = explain(sql, { version: versionOf(options), ...(given && { message }) })
        print(options.json ? JSON.stringify(explanation.json, undefined, 2) : explanation.text)
      })
    })
}

function withMessage(command: Command): Command {
  return command
    .option('--topic <topic>', 'the topic of the message', 'a/b')
    .option('--payload <text>', 'the payload of the message', '{}')
    .option('--client-id <id>', 'who sent it', 'cli')
    .option('--sql-version <version>', sqlVersions.join(', '), '2016-03-23')
}

function answerOne(options: MessageOptions): string {
  if (options.sql === undefined) throw new GatewayError('CONFIG_INVALID', 'give a statement with --sql, or vectors on stdin with --jsonl')
  const vector: Vector = {
    id: 'eval',
    sql: options.sql,
    topic: topicOf(options),
    payloadBase64: Buffer.from(options.payload).toString('base64'),
    clientId: options.clientId,
    sqlVersion: versionOf(options),
  }
  const line = answerVector(vector)
  const { error } = JSON.parse(line) as { error?: string }
  if (error !== undefined) throw new GatewayError('SQL_INVALID', error)
  return line.replace('"id":"eval",', '')
}

/** A filter is what a statement has; a message has one topic. */
function topicOf({ topic }: MessageOptions): string {
  if (topic !== '' && !/[#+]/.test(topic)) return topic
  throw new GatewayError('CONFIG_INVALID', `--topic is "${topic}"; expected the topic of one message, which has no wildcards`)
}

function versionOf({ sqlVersion }: MessageOptions): SqlVersion {
  const known = sqlVersions.find((version) => version === sqlVersion)
  if (known === undefined) throw new GatewayError('CONFIG_INVALID', `--sql-version is one of ${sqlVersions.join(', ')}`)
  return known
}

/** Bad input is one sentence and exit code 2; anything else is a fault of ours and keeps its stack. */
async function orRefuse(command: Command, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    command.error(`error: ${textOf(error)}`, { exitCode: 2, code: codeOf(error, 'SQL_INVALID') })
  }
}
