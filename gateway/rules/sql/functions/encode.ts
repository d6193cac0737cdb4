// Bytes as text and back [AWS iot-sql-functions; binary-payloads].
import { isUtf8 } from 'node:buffer'
import type { Expression } from '../ast.ts'
import { parseJson } from '../json.ts'
import { bounded, toText } from '../value.ts'
import type { FunctionTable } from './table.ts'

export const encode = {
  decode: {
    params: "String, 'base64'",
    arity: [2, 6],
    dependsOn: 'arguments',
    summary: 'The JSON value, or the text, that the base64 text holds; Null where it is not base64.',
    examples: [
      ["decode('eyJhIjpbMSwyXX0=', 'base64')", "{'a': [1, 2]}"],
      ["decode('aGVsbG8=', 'base64')", "'hello'"],
      ["decode('!!!', 'base64')", 'null'],
    ],
    since: '2016-03-23',
    star: true,
    check: (args) =>
      isText(args[1], 'proto')
        ? 'protobuf needs a descriptor from S3, which this gateway does not read; decode it behind the rule'
        : undefined,
    call: (args, scope, { raw, mode }) => {
      if (args.length !== 2 || args[1] !== 'base64') return undefined
      const source = raw ? Buffer.from(scope.message.payload).toString() : toText(args[0])
      if (source === undefined) return undefined
      const bytes = fromBase64(source)
      if (bytes === undefined || !isUtf8(bytes)) return null
      const decoded = bytes.toString()
      const value = parseJson(decoded, mode)
      return value === undefined ? decoded : value
    },
  },
  encode: {
    params: "value, 'base64'",
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: 'Base64 of the text of a value, or of the bytes of the message for `*`.',
    examples: [
      ["encode('hello', 'base64')", "'aGVsbG8='"],
      ["encode(42, 'base64')", "'NDI='"],
      ["encode('hello', 'base32')", 'undefined'],
    ],
    since: '2016-03-23',
    star: true,
    call: ([value, scheme], scope, { raw }) => {
      if (scheme !== 'base64') return undefined
      if (raw) return Buffer.from(scope.message.payload).toString('base64')
      const source = toText(value)
      return source === undefined ? undefined : bounded(Buffer.from(source).toString('base64'))
    },
  },
} as const satisfies FunctionTable

function isText(node: Expression | undefined, text: string): boolean {
  return node?.kind === 'literal' && typeof node.value === 'string' && node.value.toLowerCase() === text
}

const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Whole groups of four, padded or not. Node's own decoder skips what it does not know. */
function fromBase64(text: string): Buffer | undefined {
  if (!base64.test(text)) return undefined
  const digits = text.replace(/=+$/, '').length
  if (digits % 4 === 1 || (text.length !== digits && text.length % 4 !== 0)) return undefined
  return Buffer.from(text, 'base64')
}
