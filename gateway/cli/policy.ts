// `weir policy`: what a policy allows, and which statement says so.
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { createInterface } from 'node:readline'
import { Command, InvalidArgumentError } from 'commander'
import { parseJsonText } from '../../lib/json-file.ts'
import { printable, printableText } from '../../lib/printable.ts'
import { type Arns, createArns, ownerOf } from '../access/arn.ts'
import { compilePolicies, type Verdict } from '../access/policy.ts'
import { listOf, type PolicyDocument, parsePolicyDocument } from '../access/policy-document.ts'
import { compileKey, type PolicyContext, variablesIn } from '../access/policy-variables.ts'
import { GatewayError, invalidConfig } from '../errors.ts'
import { evaluateVector, parseVector } from './policy-vectors.ts'

const checkExamples = `
Examples:
  $ weir policy check device.json --client-id freezer-1 --connect --publish dt/coldchain/acme/truck-7/freezer-1/telemetry
  $ weir policy check device.json --client-id freezer-1 --thing freezer-1 --attached --attribute site=truck-7 --subscribe 'cmd/#'
  $ weir policy check base.json extra.json --client-id c --connect --persistent --will status/c --json

Several files are policies attached to one principal. Exit code 0: all allowed; 1: something is denied; 2: bad input.`

const evalExamples = `
Examples:
  $ weir policy eval --jsonl < vectors.jsonl

One JSON object a line: id, policies, action, resource, context (clientId, thing, certificate, sourceIp, domainName,
connectAttributes, lastWillTopic). Out comes one {"id", "decision"} a line.`

export function policyCommand(): Command {
  return new Command('policy')
    .description('what a policy allows, and which statement says so')
    .addCommand(checkCommand())
    .addCommand(evalCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ weir policy check device.json --client-id freezer-1 --connect --publish dt/coldchain/acme/truck-7/freezer-1/telemetry
  $ weir policy eval --jsonl < vectors.jsonl`,
    )
}

interface CheckFlags {
  readonly clientId: string
  readonly thing?: string
  readonly attached?: true
  readonly thingType?: string
  readonly attribute?: Readonly<Record<string, string>>
  readonly certificateId?: string
  readonly sourceIp?: string
  readonly domainName?: string
  readonly region?: string
  readonly account?: string
  readonly connect?: true
  readonly persistent?: true
  readonly will?: string
  readonly publish?: readonly string[]
  readonly retain?: readonly string[]
  readonly subscribe?: readonly string[]
  readonly receive?: readonly string[]
  readonly json?: true
}

function checkCommand(): Command {
  return new Command('check')
    .description('decide what a client may do under one or more policy files')
    .argument('<file...>', 'policy documents, evaluated together')
    .requiredOption('--client-id <id>', 'the client id of the connection')
    .option('--thing <name>', 'a thing of this name is registered')
    .option('--attached', 'the certificate is attached to the thing')
    .option('--thing-type <name>', 'type of the thing')
    .option('--attribute <name=value...>', 'attributes of the thing', toAttributes)
    .option('--certificate-id <id>', 'the certificate of the connection')
    .option('--source-ip <address>', 'the source address of the connection', toAddress)
    .option('--domain-name <host>', 'the host name in its TLS handshake')
    .option('--connect', 'may it connect')
    .option('--persistent', 'with a persistent session')
    .option('--will <topic>', 'with a Last Will on this topic')
    .option('--publish <topic...>', 'may it publish here')
    .option('--retain <topic...>', 'may it publish retained messages here')
    .option('--subscribe <filter...>', 'may it subscribe to this')
    .option('--receive <topic...>', 'does it get messages from here')
    .option('--region <region>', 'region in the ARNs asked for (default: the one the policy names)')
    .option('--account <id>', 'account in the ARNs asked for (default: the one the policy names)')
    .option('--json', 'one JSON document')
    .addHelpText('after', checkExamples)
    .action(check)
}

function toAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('an IPv4 or IPv6 address is needed.')
  return text
}

function toAttributes(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('write name=value')
  return { ...before, [name]: value }
}

interface Question {
  readonly action: string
  readonly resource: string
  /** What CONNECT alone knows. */
  readonly facts?: Pick<PolicyContext, 'connectAttributes' | 'lastWillTopic'>
}

async function check(files: readonly string[], flags: CheckFlags): Promise<void> {
  const documents = await Promise.all(files.map(loadPolicy))
  const questions = questionsOf(flags, createArns(ownerFor(documents, flags)))
  if (questions.length === 0)
    throw new GatewayError('CONFIG_INVALID', 'say what to check: --connect, --publish, --retain, --subscribe or --receive')
  const policies = compilePolicies(documents)
  const context = contextOf(flags)
  const answers = questions.map(({ action, resource, facts }) => ({
    action,
    resource,
    ...policies.bind({ ...context, ...facts }).decide(action, resource),
  }))
  const allowed = answers.every(({ decision }) => decision === 'allow')
  const named = answers.map((answer) => (answer.by ? { ...answer, by: { file: files[answer.by.policy], ...answer.by } } : answer))
  const unresolved = variablesIn(JSON.stringify(documents)).filter(
    (name) => compileKey(name).substitute({ ...context, now: () => 0 }) === undefined,
  )
  for (const name of unresolved)
    process.stderr.write(`note: \${${printable(name)}} has no value for this client, so what needs it matches nothing\n`)
  const text = flags.json
    ? JSON.stringify({ allowed, decisions: named, unresolved })
    : answers.map((answer) => toLine(answer, files)).join('\n')
  process.stdout.write(`${printableText(text)}\n`)
  if (!allowed) process.exitCode = 1
}

/** Reads a policy file. Throws CONFIG_INVALID when it is not there, no JSON or no policy. */
async function loadPolicy(path: string): Promise<PolicyDocument> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new GatewayError('CONFIG_INVALID', `${path} cannot be read`, { cause: error })
  })
  return parsePolicyDocument(parseJsonText(text, path, invalidConfig), path)
}

/** The first owner that the documents name, unless the flags do. */
function ownerFor(documents: readonly PolicyDocument[], { region, account }: CheckFlags) {
  const resources = documents
    .flatMap(({ Statement }) => listOf(Statement))
    .flatMap(({ Resource, NotResource }) => listOf(Resource ?? NotResource))
  const owner = resources.map(ownerOf).find((found) => found !== undefined)
  return { region: region ?? owner?.region ?? 'us-east-1', accountId: account ?? owner?.accountId ?? '123456789012' }
}

function contextOf({ clientId, thing, attached, thingType, attribute, certificateId, sourceIp, domainName }: CheckFlags): PolicyContext {
  return {
    clientId,
    sourceIp,
    domainName,
    thing:
      thing === undefined ? null : { name: thing, attachedToPrincipal: attached ?? false, thingTypeName: thingType, attributes: attribute },
    certificate: certificateId === undefined ? null : { CertificateId: certificateId },
  }
}

function questionsOf(flags: CheckFlags, arns: Arns): readonly Question[] {
  const { connect, persistent, will, publish = [], retain = [], subscribe = [], receive = [] } = flags
  const on = (action: string, names: readonly string[], toArn: (name: string) => string) =>
    names.map((name) => ({ action, resource: toArn(name) }))
  return [
    ...(connect || persistent || will !== undefined ? [connectQuestion(flags, arns)] : []),
    // A will is a publish of its own, asked for when the client connects.
    ...on('iot:Publish', [...(will === undefined ? [] : [will]), ...publish, ...retain], arns.topic),
    ...on('iot:RetainPublish', retain, arns.topic),
    ...on('iot:Subscribe', subscribe, arns.topicFilter),
    ...on('iot:Receive', receive, arns.topic),
  ]
}

function connectQuestion({ clientId, persistent, will }: CheckFlags, arns: Arns): Question {
  const connectAttributes = [...(persistent ? ['PersistentConnect'] : []), ...(will === undefined ? [] : ['LastWill'])]
  const lastWillTopic = will === undefined ? undefined : arns.topic(will)
  return { action: 'iot:Connect', resource: arns.client(clientId), facts: { connectAttributes, lastWillTopic } }
}

function toLine({ action, resource, decision, by }: Question & Verdict, files: readonly string[]): string {
  const name = resource.split(':').slice(5).join(':')
  const why = by ? `Statement[${by.statement}]${by.sid ? ` "${by.sid}"` : ''} of ${files[by.policy]}` : 'no statement allows it'
  return `${decision.padEnd(13)} ${action.padEnd(18)} ${name}  (${why})`
}

function evalCommand(): Command {
  return new Command('eval')
    .description('decide vectors from standard input, one JSON object a line')
    .requiredOption('--jsonl', 'JSON Lines in, JSON Lines out')
    .option('--json', 'the same; the output is always JSON Lines')
    .addHelpText('after', evalExamples)
    .action(evaluateLines)
}

async function evaluateLines(): Promise<void> {
  let lineNumber = 0
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    lineNumber++
    if (line.trim() === '') continue
    const vector = parseVector(line, lineNumber)
    const { decision } = evaluateVector(vector, `line ${lineNumber}`)
    process.stdout.write(`${JSON.stringify({ id: vector.id, decision })}\n`)
  }
}
