/** Man page and completions, from the very command line that `--help` prints (dist/cli/main.js: `npm run build`). */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { epoch, out, put, root, version } from './stage.mjs';

/** The commands with their options and arguments, as plain data. */
export async function commandLine() {
  const { programWith } = await import(pathToFileURL(join(root, 'dist/cli/main.js')).href);
  const program = await programWith(() => true);
  const optionsOf = (command) =>
    [
      ...command.options.filter(({ hidden }) => !hidden),
      { flags: '-h, --help', short: '-h', long: '--help', description: 'display help for command' },
    ].map(
      ({ flags, short, long, description, required = false, optional = false, argChoices }) => ({
        flags,
        names: [short, long].filter(Boolean),
        about: description,
        value: required ? 'always' : optional ? 'perhaps' : 'never',
        isFile: /[<[](?:file|dir|path)/i.test(flags),
        choices: argChoices ?? [],
      }),
    );
  return {
    about: program.description(),
    options: optionsOf(program),
    commands: program.commands.map((command) => ({
      name: command.name(),
      about: command.description(),
      arguments: command.registeredArguments.map((argument) => ({
        name: argument.name(),
        about: argument.description,
        isRequired: argument.required,
        isVariadic: argument.variadic,
      })),
      options: optionsOf(command),
    })),
  };
}

const causes = () =>
  readdirSync(join(root, 'docs/causes'))
    .map((name) => name.replace(/\.md$/, ''))
    .toSorted();
/** What stands for an argument of a command, where it is no file. */
const words = (name) =>
  name === 'explain' ? causes() : ['show', 'compare', 'rm'].includes(name) ? ['last'] : [];
const takesFiles = (name) => ['diagnose', 'inspect', 'show', 'compare'].includes(name);

/* The man page */

const roff = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(?=[.'])/gm, '\\&');
const optionList = (options) =>
  options.map(({ flags, about }) => `.TP\n.B ${roff(flags)}\n${roff(about)}`).join('\n');
const synopsis = ({ name, arguments: given }) =>
  [
    name,
    '[options]',
    ...given.map(({ name: word, isRequired, isVariadic }) => {
      const dots = isVariadic ? '...' : '';
      return isRequired ? `<${word}${dots}>` : `[${word}${dots}]`;
    }),
  ].join(' ');

export function manPage({ about, options, commands }) {
  const day = new Date(epoch * 1000).toISOString().slice(0, 10);
  const sections = commands.map((command) =>
    [
      `.SS "${roff(`coroner ${synopsis(command)}`)}"`,
      roff(command.about),
      ...command.arguments
        .filter((argument) => argument.about)
        .map((argument) => `.TP\n.I ${roff(argument.name)}\n${roff(argument.about)}`),
      optionList(command.options),
    ].join('\n'),
  );
  return `.TH CORONER 1 "${day}" "coroner ${version}" "User Commands"
.SH NAME
coroner \\- ${roff(about.replace(/^T/, 't'))}
.SH SYNOPSIS
.B coroner
[options] <command>
.SH OPTIONS
${optionList(options)}
.SH COMMANDS
${sections.join('\n')}
.SH EXIT STATUS
.B coroner run
ends as its command ends. The others end with 0 when they are done, 64 for a wrong command line, 66 where an input cannot be read, 70 for a
fault of coroner itself;
.B coroner diagnose \\-\\-check
with 1 where it finds a death by memory.
.SH ENVIRONMENT
.TP
.B CORONER_STORE_MAX
How much the store of recorded incidents may hold.
.TP
.B NO_COLOR
No colours.
`;
}

/* Completions */

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const valued = (options) =>
  options.filter(({ value }) => value === 'always').flatMap(({ names }) => names);

export function bash({ options, commands }) {
  const cases = commands.map(({ name, options: own }) => {
    const choices = own.filter((option) => option.choices.length > 0);
    return `    ${name})
      options=${quoted(own.flatMap(({ names }) => names).join(' '))}
      valued=${quoted(` ${valued(own).join(' ')} `)}
      words=${quoted(words(name).join(' '))}
      files=${takesFiles(name) ? 1 : ''}
${choices.map((option) => `      case $previous in ${option.names.join('|')}) COMPREPLY=($(compgen -W ${quoted(option.choices.join(' '))} -- "$current")); return ;; esac\n`).join('')}      ;;`;
  });
  return `# bash completion of coroner; made by npm run package.
_coroner() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= at options valued words files
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in -*) ;; *) command=\${COMP_WORDS[at]}; break ;; esac
  done
  case $command in
    '')
      COMPREPLY=($(compgen -W ${quoted([...commands.map(({ name }) => name), 'help', ...options.flatMap(({ names }) => names)].join(' '))} -- "$current"))
      return
      ;;
${cases.join('\n')}
    *) return ;;
  esac
  case $valued in *" $previous "*) COMPREPLY=($(compgen -f -- "$current")); return ;; esac
  if [ "$command" = run ]; then
    # Behind the command that it runs, that command's own words count.
    for ((at = at + 1; at < COMP_CWORD; at++)); do
      case \${COMP_WORDS[at]} in
        -*) case $valued in *" \${COMP_WORDS[at]} "*) at=$((at + 1)) ;; esac ;;
        *)
          if declare -F _command_offset > /dev/null; then _command_offset "$at"; else COMPREPLY=($(compgen -f -- "$current")); fi
          return
          ;;
      esac
    done
    case $current in -*) ;; *) COMPREPLY=($(compgen -c -- "$current")); return ;; esac
  fi
  case $current in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *)
      COMPREPLY=($(compgen -W "$words" -- "$current"))
      [ -z "$files" ] || COMPREPLY+=($(compgen -f -- "$current"))
      ;;
  esac
}
complete -o filenames -F _coroner coroner
`;
}

const zshText = (text) => text.replaceAll(/[[\]:\\]/g, '\\$&');
function zshOption({ names, about, value, isFile, choices }) {
  const action =
    choices.length > 0 ? `(${choices.join(' ')})` : isFile || value === 'perhaps' ? '_files' : '';
  const argument = value === 'never' ? '' : `${value === 'perhaps' ? '::' : ':'}value:${action}`;
  // Where the value may be left out, it stands behind an equals sign.
  return names
    .map((name) =>
      quoted(`${name}${value === 'perhaps' ? '=-' : ''}[${zshText(about)}]${argument}`),
    )
    .join(' ');
}
const zshWords = (name) => {
  if (name === 'run') return ["'(-)1:command: _command_names -e'", "'*::arguments: _normal'"];
  const kinds = [
    ...(words(name).length > 0 ? [`compadd -- ${words(name).join(' ')}`] : []),
    ...(takesFiles(name) ? ['_files'] : []),
  ];
  return kinds.length === 0 ? [] : [quoted(`*:word:{ ${kinds.join('; ')} }`)];
};
export const zsh = ({ options, commands }) => `#compdef coroner
# zsh completion of coroner; made by npm run package.
_coroner() {
  local state line context
  typeset -A opt_args
  _arguments -C ${options.map(zshOption).join(' ')} '1:command:->command' '*::word:->word'
  case $state in
    command)
      local -a commands=(
${commands.map(({ name, about }) => `        ${quoted(`${name}:${zshText(about)}`)}`).join('\n')}
      )
      _describe command commands
      ;;
    word)
      case $line[1] in
${commands
  .map(
    ({ name, options: own }) =>
      `        ${name})\n          _arguments ${[...own.map(zshOption), ...zshWords(name)].join(' \\\n            ')}\n          ;;`,
  )
  .join('\n')}
      esac
      ;;
  esac
}
if [ "$funcstack[1]" = _coroner ]; then _coroner "$@"; else compdef _coroner coroner; fi
`;

const fishQuoted = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
function fishOption(condition, { names, about, value, isFile, choices }) {
  const flags = names
    .map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
    .join(' ');
  const argument =
    value !== 'always'
      ? ''
      : choices.length > 0
        ? ` -x -a ${fishQuoted(choices.join(' '))}`
        : isFile
          ? ' -r -F'
          : ' -x';
  return `complete -c coroner -n ${condition} ${flags}${argument} -d ${fishQuoted(about)}`;
}
export const fish = ({ options, commands }) =>
  `# fish completion of coroner; made by npm run package.
${[
  'complete -c coroner -n __fish_use_subcommand -f',
  ...options.map((option) => fishOption('__fish_use_subcommand', option)),
  ...commands.flatMap(({ name, about, options: own }) => {
    const condition = fishQuoted(`__fish_seen_subcommand_from ${name}`);
    return [
      `complete -c coroner -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(about)}`,
      ...own.map((option) => fishOption(condition, option)),
      ...(words(name).length > 0
        ? [
            `complete -c coroner -n ${condition}${takesFiles(name) ? '' : ' -f'} -a ${fishQuoted(words(name).join(' '))}`,
          ]
        : []),
      ...(name === 'run'
        ? [`complete -c coroner -n ${condition} -x -a '(__fish_complete_subcommand --fcs-skip=2)'`]
        : []),
    ];
  }),
].join('\n')}
`;

/** What goes where, of all packages that have a place for it. */
export async function manualFiles() {
  const line = await commandLine();
  return {
    'share/man/man1/coroner.1': manPage(line),
    'share/bash-completion/completions/coroner': bash(line),
    'share/zsh/vendor-completions/_coroner': zsh(line),
    'share/fish/vendor_completions.d/coroner.fish': fish(line),
  };
}

export async function manual() {
  const names = { 'share/man/man1/coroner.1': 'coroner.1' };
  const made = [];
  for (const [place, text] of Object.entries(await manualFiles())) {
    const shell = /(bash|zsh|fish)/.exec(place)?.[1];
    const name = names[place] ?? `coroner-completion.${shell}`;
    put(join(out, name), text);
    made.push(name);
  }
  return { names: made };
}
