// Writes docs/sql.md from the tables that the evaluator itself uses.
import { type Choice, contradictions, gaps } from './choices.ts'
import { castExamples, castTypes } from './functions/cast.ts'
import { families } from './functions/index.ts'
import { maxPatternLength, maxPatternSize, maxSuppliedLength, maxSuppliedSize, maxSuppliedSteps } from './functions/pattern.ts'
import type { FunctionTable, SqlFunction } from './functions/table.ts'
import { maxDepth } from './json.ts'
import { maxNesting, maxOperands, maxStatementLength } from './parse.ts'
import { externalFunctions } from './resolvers.ts'
import { maxOutputLength } from './statement.ts'
import { maxTextLength } from './value.ts'
import { maxWork } from './work.ts'

const titles: Readonly<Record<keyof typeof families, string>> = {
  math: 'Numbers',
  text: 'Text',
  regex: 'Regular expressions',
  json: 'Arrays, objects, and what is not there',
  encode: 'Base64',
  crypto: 'Hashes',
  time: 'Time',
  context: 'The message',
}

/** The whole page, ending in a newline. */
export function sqlDocs(): string {
  return `${[introduction, values(), functions(), external(), cast(), regex, limits(), choices()].join('\n\n')}\n`
}

const introduction = `<!-- generated from gateway/rules/sql; do not edit, run UPDATE=1 npx vitest run --config test/vitest.config.ts test/gateway/rules/sql/docs.test.ts -->
# AWS IoT SQL in Weir

A rule's statement is compiled once, when the rule is loaded, and gives the result that AWS IoT Core gives. A statement that AWS would
refuse is refused here too, with line, column, what was expected and the likely spelling. \`weir rules explain\` takes one apart,
\`weir rules eval\` runs one on a message.

\`\`\`
[SET @name = expression, …]
SELECT [VALUE] * | expression [AS name.name], …
[FROM 'topic/filter']
[WHERE expression]
\`\`\`

Expressions: names and paths (\`a.b\`), \`@variables\`, numbers, strings in either quotes, \`true false null\`, \`[array]\`, \`{"object": literals}\`,
\`CASE v WHEN c THEN r … ELSE r END\`, \`x IN array\`, \`EXISTS (SELECT …)\`, \`(SELECT … FROM path AS name WHERE …)\`, \`cast(v AS type)\`, functions, and
\`OR AND NOT = <> < <= > >= + - * / %\`. Keywords and function names are case insensitive; keys of the payload are not.

Versions \`2015-10-08\` (what AWS takes when a rule names none), \`2016-03-23\` and \`beta\`, which is the same as the one before. In 2015-10-08 there are no
array and object literals, nested queries and functions marked **2016**, and a payload's \`10.0\` stays a Decimal.`

function values(): string {
  return `## Values

Int and Decimal have 34 digits and are decimal: \`0.1 + 0.2 = 0.3\` is true, and integers beyond 2^53 keep every digit from the payload to the output.
A double is used where it shows the number exactly, a decimal library elsewhere; the result is the same.

Undefined is "no value": an absent key, a failed conversion, a function called with what it does not take. It leaves its key out of the output and is never
true. Null is a value of its own. A payload that is not JSON has no names; \`SELECT *\` passes its bytes through.

| from | to Decimal | to Int | to Boolean | to String |
|---|---|---|---|---|
| Int, Decimal | itself | cut, for an index | Undefined | digits |
| Boolean | Undefined | Undefined | itself | \`true\`, \`false\` |
| String | \`-?\\d+(\\.\\d+)?(E-?\\d+)?\` | the same, then cut | \`true\`, \`false\` in any case | itself |
| Array, Object | Undefined | Undefined | Undefined | compact JSON |
| Null, Undefined | Undefined | Undefined | Undefined | Undefined |

\`=\` and \`<>\` convert nothing; \`+\` is concatenation as soon as one side is a String; comparisons and the other arithmetic take numbers and Strings that read as
numbers; AND, OR and NOT take Booleans and the Strings \`true\` and \`false\`.

A length and an index count characters (code points), so no result ends in half of one.`
}

function functions(): string {
  const sections = Object.entries(families).map(([family, table]) => {
    const rows = Object.entries(table as FunctionTable).map(([name, row]) => describeFunction(name, row))
    return `### ${titles[family as keyof typeof families]}\n\n${rows.join('\n')}`
  })
  return `## Functions\n\nEvery example is run by a test.\n\n${sections.join('\n\n')}`
}

function describeFunction(name: string, { params, summary, since, examples }: SqlFunction): string {
  const shown = examples.map(([call, result]) => `\`${call}\` is ${result === 'undefined' ? 'Undefined' : `\`${result}\``}`)
  return `- **${name}**(${params})${since === undefined ? '' : ' **2016**'}: ${summary}${shown.length === 0 ? '' : `  \n  ${shown.join(' · ')}`}`
}

function external(): string {
  const rows = Object.entries(externalFunctions).map(([name, { params, summary }]) => `- **${name}**(${params}): ${summary}`)
  return `### Functions that call another service

Each is answered by a resolver that the gateway was given. Without one, a rule that calls it is refused when it is loaded: it would be Undefined for ever. A
resolver that fails makes the rule fail for that message, unless get_or_default stands around the call. decode(…, 'proto', …) is refused.

${rows.join('\n')}`
}

function cast(): string {
  const types = Object.entries(castTypes).map(([name, row]) => `${name}${'since' in row ? ' **2016**' : ''}`)
  const shown = castExamples.map(([call, result]) => `\`${call}\` is ${result === 'undefined' ? 'Undefined' : `\`${result}\``}`)
  return `### cast(value AS type)\n\nTypes: ${types.join(', ')}.  \n${shown.join(' · ')}`
}

const regex = `## Regular expressions

The engine is RE2 (re2js). Its time is at most the size of the pattern times the length of the text, and both are bounded, so no pattern stalls the gateway. The
size of a pattern is the number of its parts with repeats written out: \`[a-z]{500}\` has 500. A pattern in the statement may be large, and is refused when the rule
is loaded if it is too large. A pattern that comes from the payload must be small; else the result is Undefined. The limits are below. The engine has Java's classes, groups (named too), lazy quantifiers, \`(?i)\` and its like, \`\\Q…\\E\`, \`\\p{…}\` and \`$1\` in replacements. It does not have backreferences (\`\\1\`),
lookahead and lookbehind (\`(?=\`, \`(?<!\`), atomic groups (\`(?>\`) and possessive quantifiers (\`a*+\`). A constant pattern with one of them is refused when the rule
is loaded; a pattern that only the message knows is not valid then, and the result is Undefined. A repeat goes up to 1000.`

function limits(): string {
  return `## Limits

| limit | value |
|---|---|
| statement, template | ${maxStatementLength} characters |
| nesting of expressions; members of a path | ${maxNesting} |
| operators in a row | ${maxOperands} |
| nesting of a payload; deeper counts as not JSON | ${maxDepth} |
| text that a function or \`+\` makes; longer is Undefined | ${maxTextLength} characters |
| regular expression in a statement; larger is refused | ${maxPatternLength} characters, ${maxPatternSize} parts |
| regular expression from the payload; larger is Undefined | ${maxSuppliedLength} characters, ${maxSuppliedSize} parts |
| the same, size × text; larger is Undefined | ${maxSuppliedSteps} |
| steps of one evaluation; more make the rule fail for that message | ${maxWork} |
| output; longer makes the rule fail for that message | ${maxOutputLength} characters, or twice the payload |
| SET | 10 variables, names of 64 characters, 128 KiB of JSON each; larger is Undefined |
| transform | 128 KiB; larger is Undefined |
| Decimal | 1E-999 … 9.99E999; beyond is Undefined |

A step is one part of a pattern on one character, one element that IN compares, or a tenth of a row of a nested query. A part of a pattern that comes from the
payload counts 12 times. So a payload cannot make a rule take more than about half a second. A rule that fails for a message runs its error action.`
}

function choices(): string {
  return `## Where AWS's documentation leaves a choice

### It says two things

${choiceTable(contradictions)}

### It says nothing

${choiceTable(gaps)}

timestamp() is the time the gateway received the message, and newuuid() and rand() follow from the message's own id, so a message that is replayed after a crash
gives the same body again.`
}

function choiceTable(table: Readonly<Record<string, Choice>>): string {
  const rows = Object.entries(table).map(([id, { question, choice }]) => `| ${id} | ${question} | ${choice} |`)
  return ['| | question | here |', '|---|---|---|', ...rows].join('\n')
}
