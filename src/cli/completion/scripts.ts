/** Each asks the program itself: what it knows today is what is completed. */
export const completionScripts = {
  bash: `_millrace() {
  local IFS=$'\\n'
  COMPREPLY=($(millrace completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _millrace millrace`,
  zsh: `#compdef millrace
_millrace() {
  local -a found
  found=("\${(@f)$(millrace completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
if [[ "\${funcstack[1]}" == _millrace ]]; then _millrace "$@"; else compdef _millrace millrace; fi`,
  fish: `function __millrace_words
  set -l before (commandline -opc)
  millrace completion words -- $before[2..-1] (commandline -ct) 2>/dev/null
end
complete -c millrace -a '(__millrace_words)'`,
} as const;
