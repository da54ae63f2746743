{#- The regular expression, or the codes, of a format that can be told by its letters alone. -#}
{% macro sx_format_regex(format) %}
    {%- set byte = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])' -%}
    {%- set ipv4 = byte ~ '([.]' ~ byte ~ '){3}' -%}
    {%- set label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?' -%}
    {%- set atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+" -%}
    {#- Groups of an IPv6 address; what follows `::` has fewer of them the more stand before it. -#}
    {%- set group = '[0-9A-Fa-f]{1,4}' -%}
    {%- set tails = ['(' ~ group ~ ':){7}' ~ group, '::(' ~ group ~ '(:' ~ group ~ '){0,6})?'] -%}
    {%- for n in range(1, 8) -%}
        {%- do tails.append(
            group ~ '(:' ~ group ~ '){' ~ (n - 1) ~ '}::'
            ~ ('(' ~ group ~ '(:' ~ group ~ '){0,' ~ (6 - n) ~ '})?' if n < 7 else '')
        ) -%}
    {%- endfor -%}
    {%- set ipv6 = '(' ~ tails | join('|') ~ ')' -%}
    {#- Days that are there in the Gregorian calendar. -#}
    {%- set date = '(?!0000)('
        ~ '[0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])'
        ~ '|[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]|30)'
        ~ '|[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])'
        ~ '|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)' -%}
    {%- set time = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?' -%}
    {%- set zone = '(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)' -%}
    {%- set percent = '%[0-9A-Fa-f]{2}' -%}
    {%- set regexes = {
        'email': '(?=.{1,254}$)(?=[^@]{1,64}@)' ~ atom ~ '([.]' ~ atom ~ ')*@' ~ label
            ~ '([.]' ~ label ~ ')+',
        'uuid': '[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}',
        'url': 'https?://(' ~ label ~ '([.]' ~ label ~ ')*[.]?|' ~ '[[]' ~ ipv6 ~ '[]])'
            ~ '(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]'
            ~ "|6553[0-5]))?([/?#]([A-Za-z0-9._~:/?#@!$&'()*+,;=[]|[]]|-|" ~ percent ~ ')*)?',
        'ipv4': ipv4,
        'ipv6': ipv6,
        'date': date,
        'timestamp': date ~ '[T ]' ~ time ~ zone ~ '?',
        'phone': '[+][1-9][0-9]{6,14}',
    } -%}
    {%- do return('^(' ~ regexes[format] ~ ')$' if format in regexes else none) -%}
{% endmacro %}

{#- The codes of a standard: ISO 3166-1 alpha-2, ISO 4217, ISO 639-1. -#}
{% macro sx_format_codes(format) %}
    {%- set codes = {
        'country_iso3166': (
            'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN ' ~
            'BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ ' ~
            'DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL ' ~
            'GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM ' ~
            'JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME ' ~
            'MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP ' ~
            'NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD ' ~
            'SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO ' ~
            'TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW '
        ),
        'currency_iso4217': (
            'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL ' ~
            'BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF ' ~
            'DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF ' ~
            'IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR ' ~
            'LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO ' ~
            'NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK ' ~
            'SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH ' ~
            'UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XCG ' ~
            'XDR XOF XPD XPF XPT XSU XUA YER ZAR ZMW ZWG ZWL '
        ),
        'language_iso639': (
            'aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs ' ~
            'cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha ' ~
            'he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ' ~
            'ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb ' ~
            'nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd ' ~
            'se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ' ~
            'ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu '
        ),
    } -%}
    {%- do return(codes[format].split() if format in codes else none) -%}
{% endmacro %}
