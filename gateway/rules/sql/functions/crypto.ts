// Hashes of the text of a value, as lower-case hexadecimal digits [AWS iot-sql-functions].
import { hash } from 'node:crypto'
import { toText } from '../value.ts'
import { spend } from '../work.ts'
import { md2 } from './md2.ts'
import type { FunctionTable, SqlFunction } from './table.ts'

export const crypto = {
  // Written in JavaScript, so it is 100 times slower than the others.
  md2: hashing('MD2', slowly(md2, 4), [["md2('hello')", "'a9046c73e00331af68917d3804f70655'"]]),
  md5: hashing('MD5', (text) => hash('md5', text), [["md5('hello')", "'5d41402abc4b2a76b9719d911017c592'"]]),
  sha1: hashing('SHA-1', (text) => hash('sha1', text), [["sha1('hello')", "'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d'"]]),
  sha224: hashing('SHA-224', (text) => hash('sha224', text), [
    ["sha224('hello')", "'ea09ae9cc6768c50fcee903ed054556e5bfc8347907f12598aa24193'"],
  ]),
  sha256: hashing('SHA-256', (text) => hash('sha256', text), [['sha256(null)', 'undefined']]),
  sha384: hashing('SHA-384', (text) => hash('sha384', text), [['length(sha384(true))', '96']]),
  sha512: hashing('SHA-512', (text) => hash('sha512', text), [['length(sha512(42))', '128']]),
} as const satisfies FunctionTable

function slowly(digest: (text: string) => string, stepsOfCharacter: number): (text: string) => string {
  return (text) => {
    spend(text.length * stepsOfCharacter)
    return digest(text)
  }
}

function hashing(name: string, digest: (text: string) => string, examples: SqlFunction['examples']): SqlFunction {
  const call: SqlFunction['call'] = ([value]) => {
    const text = toText(value)
    return text === undefined ? undefined : digest(text)
  }
  return { params: 'String', arity: [1, 1], dependsOn: 'arguments', summary: `The ${name} hash.`, examples, call }
}
