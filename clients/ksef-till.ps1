# Issue a sale through ksef-agent from Windows PowerShell 5.1, over HTTP or through the drop folder.
#
#   .\ksef-till.ps1 -File order-4711.json -Api http://127.0.0.1:8780 -TokenFile token.txt
#   .\ksef-till.ps1 -File order-4711.json -Folder \\kasa\faktury
#
# The answer is written as JSON. Exit code: 0 issued, 1 refused (the answer says why), 3 no answer in time: call again
# with the same file, nothing is issued twice.
param(
    [Parameter(Mandatory = $true)][string]$File,
    [string]$Api = 'http://127.0.0.1:8780',
    [string]$TokenFile,
    [string]$Folder,
    [int]$Wait = 120
)
$ErrorActionPreference = 'Stop'
$path = (Resolve-Path -LiteralPath $File).ProviderPath
$content = [IO.File]::ReadAllBytes($path)
$name = [IO.Path]::GetFileName($path)
$sha256 = [Security.Cryptography.SHA256]::Create()
$deadline = (Get-Date).AddSeconds($Wait)

function Get-Hex([byte[]]$bytes) {
    return ([BitConverter]::ToString($sha256.ComputeHash($bytes)) -replace '-', '').ToLower()
}

# Directly: the agent is in the shop, and the machine's proxy must not get the token.
[Net.WebRequest]::DefaultWebProxy = $null

function Send-OverHttp {
    # The same name and content are the same sale, however often it is sent.
    $key = 'till-' + (Get-Hex ([Text.Encoding]::UTF8.GetBytes($name + [char]0 + (Get-Hex $content))))
    $type = 'application/json'
    if ($name -like '*.xml') { $type = 'application/xml' }
    $headers = @{ 'Authorization' = 'Bearer ' + (Get-Content -LiteralPath $TokenFile -TotalCount 1).Trim(); 'Idempotency-Key' = $key }
    while ((Get-Date) -lt $deadline) {
        try {
            $answer = Invoke-WebRequest -UseBasicParsing -Method Post -Uri ($Api + '/v1/invoices') -Headers $headers -ContentType $type -Body $content -TimeoutSec $Wait -MaximumRedirection 0
            # The bytes, not .Content: 5.1 reads JSON without a charset as Latin-1.
            $text = [Text.Encoding]::UTF8.GetString($answer.RawContentStream.ToArray())
            if ($text -match '"number"') {
                $text
                if ($text -match '"state": ?"rejected"') { exit 1 }  # by KSeF
                exit 0
            }
        } catch {
            $problem = ''
            try {
                $reader = New-Object IO.StreamReader($_.Exception.Response.GetResponseStream(), [Text.Encoding]::UTF8)
                $problem = $reader.ReadToEnd()
            } catch { }
            # A broken line, what may be repeated, or a proxy (only the agent's refusals have a code): the same key gives
            # the same invoice.
            if ($problem -match '"code": ?"' -and $problem -notmatch '"retry_safe": ?true') { $problem; exit 1 }
        }
        Start-Sleep -Seconds 1
    }
    exit 3
}

function Send-ByFolder {
    $target = Join-Path $Folder $name
    $mine = Get-Hex $content
    $stem = [IO.Path]::GetFileNameWithoutExtension($name)
    # Of this file, when it was dropped before: what it said need not hold any more.
    $refusal = Join-Path (Join-Path $Folder 'refused') ($stem + '.result.json')
    $earlier = ''
    if (Test-Path -LiteralPath $refusal) { $earlier = [IO.File]::ReadAllText($refusal) }
    $dropped = $false
    while (-not $dropped) {
        try {
            [IO.File]::WriteAllBytes($target + '.tmp', $content)
            Move-Item -LiteralPath ($target + '.tmp') -Destination $target -Force
            $dropped = $true
        } catch {  # the share is away or full, or the agent is reading an earlier one
            if ((Get-Date) -ge $deadline) { exit 3 }
            Start-Sleep -Seconds 1
        }
    }
    while ((Get-Date) -lt $deadline) {
        Start-Sleep -Seconds 1
        if (Test-Path -LiteralPath $target) { continue }  # not taken yet
        foreach ($place in 'done', 'refused') {
            $result = Join-Path (Join-Path $Folder $place) ($stem + '.result.json')
            if (-not (Test-Path -LiteralPath $result)) { continue }
            try {
                $text = [IO.File]::ReadAllText($result)
                if (($text | ConvertFrom-Json).sha256 -ne $mine) { continue }
            } catch { continue }  # just being replaced, or the share is away
            if ($place -eq 'refused' -and $text -ceq $earlier) { continue }
            $text
            if ($place -eq 'refused' -or $text -match '"status": ?"rejected"') { exit 1 }
            exit 0
        }
    }
    exit 3
}

if ($Folder) { Send-ByFolder } else { Send-OverHttp }
