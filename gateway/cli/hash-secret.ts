// `weir certs hash-secret`: from a password or a token's secret to the entry that things.json keeps of it.
import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { parseAs } from '../../lib/problems.ts'
import { hashSecret, maxSecretBytes } from '../access/secrets.ts'
import { loginSchema } from '../access/things.ts'
import { GatewayError, invalidConfig } from '../errors.ts'

const examples = `
Examples:
  $ weir certs hash-secret dev --tenant acme --policy device       asks for the password, and does not show it
  $ openssl rand -base64 24 | tee dev.secret | weir certs hash-secret ci
  $ jq --slurpfile login <(weir certs hash-secret dev < dev.secret) '.users += $login' things.json > new.json && mv new.json things.json

The entry goes into \`users\` (name and password) or \`tokens\` (Authorization: Bearer <name>.<secret>) of things.json; the same
form serves both. A running gateway takes it at once. The secret is read from standard input and never printed.`

interface Flags {
  readonly tenant?: string
  readonly policy?: readonly string[]
}

export function hashSecretCommand(): Command {
  return new Command('hash-secret')
    .description('hash a password or a token for things.json; the secret comes on standard input')
    .argument('<name>', 'name of the user or the token')
    .option('--tenant <tenant>', 'who it belongs to')
    .option('--policy <name>', 'a policy attached to it; may be repeated', (name, all: readonly string[] = []) => [...all, name])
    .option('--json', 'the same; the output is always one JSON document')
    .addHelpText('after', examples)
    .action(run)
}

async function run(name: string, { tenant, policy = [] }: Flags): Promise<void> {
  const known = { name, ...(tenant === undefined ? {} : { tenant }), ...(policy.length > 0 ? { policies: policy } : {}) }
  parseAs(loginSchema.omit({ hash: true }), known, 'hash-secret', invalidConfig)
  const secret = process.stdin.isTTY ? await asked() : (await text(process.stdin)).replace(/\r?\n$/, '')
  const problem = secretProblem(secret)
  if (problem) throw new GatewayError('CONFIG_INVALID', `hash-secret: ${problem}`)
  const { name: first, ...rest } = known
  process.stdout.write(`${JSON.stringify({ name: first, hash: await hashSecret(secret), ...rest }, null, 2)}\n`)
}

function secretProblem(secret: string): string | undefined {
  if (secret === '') return 'standard input is empty; pass the secret there'
  if (/[\r\n\0]/.test(secret)) return 'a secret is one line; there is more on standard input'
  if (Buffer.byteLength(secret) > maxSecretBytes) return `a secret has at most ${maxSecretBytes} bytes`
  return undefined
}

/** From a terminal, without showing what is typed. */
async function asked(): Promise<string> {
  process.stderr.write('secret: ')
  const lines = createInterface({ input: process.stdin, terminal: true })
  // Ctrl-C and Ctrl-D end it without a secret.
  const ended = new AbortController()
  lines.once('SIGINT', () => lines.close())
  lines.once('close', () => ended.abort())
  try {
    return await lines.question('', { signal: ended.signal }).catch(() => '')
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
